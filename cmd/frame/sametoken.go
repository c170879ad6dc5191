package frame

import (
	"errors"
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// shownSlot is a slot with the module that shows it.
type shownSlot struct {
	token.Slot
	module     token.ModuleInfo
	initString string // that the module was started with
}

// sameToken reports whether two modules show one token. Modules that were each told which database to open show two, whatever
// they call them: every database of NSS has the same serial number.
func sameToken(one, other shownSlot) bool {
	told := one.initString != "" && other.initString != "" && one.initString != other.initString
	return one.module.Path != other.module.Path && !told && one.Token.Same(other.Token)
}

// eachOnce leaves one slot of every token that several modules show, that of the module that can do more with it, and says so. The
// error is that of a module that no longer answers.
func (w *Worker) eachOnce(slots []shownSlot) ([]token.Slot, error) {
	var kept []shownSlot
	for _, slot := range slots {
		i := slices.IndexFunc(kept, func(k shownSlot) bool { return sameToken(k, slot) })
		if i < 0 {
			kept = append(kept, slot)
			continue
		}
		used, other := kept[i], slot
		usedAbility, err := ability(used)
		otherAbility, otherErr := ability(other)
		if err := errors.Join(err, otherErr); err != nil {
			return nil, err
		}
		if slices.Compare(otherAbility, usedAbility) > 0 {
			used, other = other, used
		}
		kept[i] = used
		w.Notice("notice.same-token", messages.Args{"Token": w.TokenName(used.Token.Label), "Used": foreign.Text(used.module.Path), "Other": foreign.Text(other.module.Path)})
	}
	once := make([]token.Slot, 0, len(kept))
	for _, slot := range kept {
		once = append(once, slot.Slot)
	}
	return once, nil
}

// ability orders what a module can do with a token, by what it lists: to shroud a key, to wrap one at all, and how much else. A
// module that does not tell its mechanisms can do the least. Of two that can do the same, the token's own says whose make it is, which a
// proxy hides.
func ability(slot shownSlot) ([]int, error) {
	mechanisms, err := slot.Mechanisms()
	if err != nil && token.Lost(err) {
		return nil, err
	}
	shrouds, wraps, own := 0, 0, 1
	if verdict.ListsShroud(mechanisms) {
		shrouds = 1
	}
	if slices.ContainsFunc(mechanisms, func(m token.Mechanism) bool { return slices.Contains(token.WrapMechanisms, m.Type) }) {
		wraps = 1
	}
	if isProxy(slot.module) {
		own = 0
	}
	return []int{shrouds, wraps, len(mechanisms), own}, nil
}

// proxyManufacturer is what p11-kit's modules give as their maker (p11-kit, proxy.c and rpc-client.c).
const proxyManufacturer = "PKCS#11 Kit"

func isProxy(module token.ModuleInfo) bool {
	return strings.HasPrefix(string(module.Manufacturer), proxyManufacturer)
}
