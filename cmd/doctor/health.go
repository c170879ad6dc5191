package doctor

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/host"
)

// doctorView is what doctor shows, as JSON and in words: modules that are broken first, those that work last.
type doctorView struct {
	Schema         string              `json:"schema"`
	Usable         int                 `json:"usable_tokens"`
	Reasons        []verdict.Reason    `json:"reasons"` // of no module in particular
	Modules        []moduleView        `json:"modules"`
	PCSCD          pcscdView           `json:"pcscd"`
	SoftHSM        *softHSMView        `json:"softhsm"` // nil where nothing concerns SoftHSM
	Configurations []configurationView `json:"p11_kit"` // empty where a module was named

	wanted string // --token
}

type moduleView struct {
	Path    string           `json:"path"`
	Found   string           `json:"found"`    // flag, p11-kit, registry, profile or usual-place
	FoundBy string           `json:"found_by"` // the flag, variable, file or folder that names it; empty for a usual place
	Mode    string           `json:"mode"`     // the file's permissions; empty where there is no such file
	Health  verdict.Health   `json:"health"`
	Library *libraryView     `json:"library"` // what C_GetInfo told; nil where it told nothing
	PCSC    bool             `json:"pcsc"`    // reaches its readers through PC/SC
	Usable  int              `json:"usable_tokens"`
	Reasons []verdict.Reason `json:"reasons"`
	Slots   []slotView       `json:"slots"`
}

type libraryView struct {
	Manufacturer    foreign.Text `json:"manufacturer"`
	Description     foreign.Text `json:"description"`
	LibraryVersion  string       `json:"library_version"`
	CryptokiVersion string       `json:"cryptoki_version"`
}

type slotView struct {
	Description  foreign.Text     `json:"description"`
	Manufacturer foreign.Text     `json:"manufacturer"`
	Removable    bool             `json:"removable"`
	State        slotState        `json:"state"`
	Reasons      []verdict.Reason `json:"reasons"`
	Token        *slotTokenView   `json:"token"` // nil where none is present

	info  *token.Info
	meant bool // it is the token that --token names, or none is named
}

// slotState is a slot's state in one word.
type slotState string

const (
	slotUsable   slotState = "usable"   // its token can be used
	slotUnusable slotState = "unusable" // the reasons say why
	slotEmpty    slotState = "empty"    // no token is in it
	slotFree     slotState = "free"     // a place where one more token could be made
	slotInternal slotState = "internal" // computes for the module and holds nothing
)

type slotTokenView struct {
	URI           string             `json:"uri"`
	Label         foreign.Text       `json:"label"`
	Serial        string             `json:"serial"`
	Manufacturer  foreign.Text       `json:"manufacturer"`
	Model         foreign.Text       `json:"model"`
	Flags         []string           `json:"flags"`
	LoginRequired bool               `json:"login_required"`
	PINCountLow   bool               `json:"pin_count_low"`
	MinPINLength  uint               `json:"min_pin_length"`
	MaxPINLength  uint               `json:"max_pin_length"`
	MaxSessions   *token.Count       `json:"max_sessions"`    // 0: no limit; nil: not told
	MaxRWSessions *token.Count       `json:"max_rw_sessions"` // 0: no limit; nil: not told
	Mechanisms    int                `json:"mechanisms"`
	Shroud        bool               `json:"shroud"`  // CKM_AES_CBC_PAD is listed with CKF_WRAP
	Wrap          []string           `json:"wrap"`    // the mechanisms listed that carry a key
	Objects       *token.ObjectCount `json:"objects"` // without a login; nil where they were not counted
}

type pcscdView struct {
	Socket  string `json:"socket"`
	Answers bool   `json:"answers"`
	Process bool   `json:"process"`
}

type softHSMView struct {
	Configuration  string            `json:"configuration"`
	TokenDirectory string            `json:"token_directory"`
	Fault          host.SoftHSMFault `json:"fault"`
}

type configurationView struct {
	File    string       `json:"file"`
	Module  string       `json:"module"`
	Ignored host.Ignored `json:"ignored"`
}

// viewDoctor has bridge judge the runs and puts what is to be seen first first.
func viewDoctor(a *frame.App, runs []verdict.ModuleRun, named bool, configurations []host.Configuration, daemon host.PCSCDaemon, softHSM host.SoftHSMConfiguration) doctorView {
	shown := doctorView{
		Schema: "p11bridge.doctor/1", Reasons: []verdict.Reason{}, Modules: []moduleView{}, Configurations: []configurationView{},
		PCSCD: pcscdView{daemon.Socket, daemon.Answers, daemon.Process}, wanted: a.TokenLabel,
	}
	concerned := false
	for _, run := range runs {
		module := viewModule(a, run, verdict.JudgeModule(run, daemon, softHSM), named)
		shown.Modules = append(shown.Modules, module)
		concerned = concerned || run.Inspection != nil && run.Inspection.SoftHSM
	}
	if len(runs) == 0 {
		shown.Reasons = append(shown.Reasons, verdict.NoModuleReason(configurations))
	}
	if concerned || softHSM.Variable != "" {
		shown.SoftHSM = &softHSMView{softHSM.File, softHSM.TokenDirectory, softHSM.Fault}
	}
	if !concerned && !named && softHSM.Variable != "" && softHSM.Fault != "" {
		shown.Reasons = append(shown.Reasons, verdict.SoftHSMReason(softHSM))
	}
	for _, c := range configurations {
		shown.Configurations = append(shown.Configurations, configurationView{c.File, c.Library.Path, c.Ignored})
	}
	shown.Usable = len(shown.usable())
	order := []verdict.Health{verdict.HealthBroken, verdict.HealthLook, verdict.HealthOK}
	slices.SortStableFunc(shown.Modules, func(x, y moduleView) int {
		return cmp.Compare(slices.Index(order, x.Health), slices.Index(order, y.Health))
	})
	return shown
}

// healthy reports whether a token can be used, the one that is meant where one was named, and no module that was named is
// broken.
func (v doctorView) healthy(named bool) bool {
	found := false
	for _, module := range v.Modules {
		if named && module.Health == verdict.HealthBroken {
			return false
		}
		for _, slot := range module.Slots {
			found = found || slot.State == slotUsable && slot.meant
		}
	}
	return found
}

// usable lists the tokens that can be used, each once whatever number of modules show it.
func (v doctorView) usable() []slotView {
	var usable []slotView
	for _, module := range v.Modules {
		others := usable // of other modules
		for _, slot := range module.Slots {
			shown := slices.ContainsFunc(others, func(other slotView) bool { return slot.State == slotUsable && slot.info.Same(other.info) })
			if slot.State == slotUsable && !shown {
				usable = append(usable, slot)
			}
		}
	}
	return usable
}

// names are those of the tokens that can be used, as they are shown to people.
func (v doctorView) names(a *frame.App) []string {
	var names []string
	for _, slot := range v.usable() {
		names = append(names, a.Text("label.quoted", messages.Args{"Name": a.TokenName(slot.Token.Label)}))
	}
	return names
}

// causes are the reasons of everything that was looked at, the likeliest cause first.
func (v doctorView) causes() []verdict.Reason {
	all := slices.Clone(v.Reasons)
	for _, module := range v.Modules {
		all = append(all, module.Reasons...)
		for _, slot := range module.Slots {
			all = append(all, slot.Reasons...)
		}
	}
	return verdict.Causes(all)
}

func viewModule(a *frame.App, run verdict.ModuleRun, judged verdict.ModuleVerdict, named bool) moduleView {
	library := run.Library
	shown := moduleView{
		Path: library.Path, Found: "usual-place", Mode: fileMode(library.Path), Health: judged.Health, Usable: judged.Usable(),
		Reasons: frame.NoNil(judged.Reasons), Slots: []slotView{},
	}
	switch {
	case named:
		shown.Found, shown.FoundBy = "flag", namedBy(a)
	case library.Name == host.ProfilesName:
		shown.Found, shown.FoundBy = "profile", library.NamedBy
	case library.Name == host.RegisteredName && library.NamedBy != "":
		shown.Found, shown.FoundBy = "registry", library.NamedBy
	case library.NamedBy != "":
		shown.Found, shown.FoundBy = "p11-kit", library.NamedBy
	}
	if run.Inspection == nil {
		return shown
	}
	shown.PCSC = run.Inspection.PCSC
	if info := run.Inspection.Info; info != nil {
		shown.Library = &libraryView{info.Manufacturer, info.Description, info.LibraryVersion, info.CryptokiVersion}
	}
	for i, slot := range run.Inspection.Slots {
		seen := viewSlot(slot, judged.Slots[i])
		if info := run.Inspection.Info; info != nil {
			seen.meant = a.Meant(*info, token.Slot{ID: slot.ID, Description: slot.Description, Manufacturer: slot.Manufacturer, Token: slot.Token}, nil)
		}
		shown.Slots = append(shown.Slots, seen)
	}
	return shown
}

// namedBy is what named the one module.
func namedBy(a *frame.App) string {
	switch {
	case a.Module != "":
		return "--module"
	case a.NSSDB != "":
		return "--nss-db"
	}
	return frame.ModuleVariable
}

// fileMode gives the permissions of a file, empty for a bare name, which the loader searches for.
func fileMode(path string) string {
	if path == filepath.Base(path) {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%04o", info.Mode()&fs.ModePerm)
}

func viewSlot(slot host.InspectedSlot, judged verdict.SlotVerdict) slotView {
	shown := slotView{
		Description: slot.Description, Manufacturer: slot.Manufacturer, Removable: slot.Removable, Reasons: frame.NoNil(judged.Reasons), State: slotUnusable, info: slot.Token,
	}
	info := slot.Token
	switch {
	case slot.Internal:
		shown.State = slotInternal
	case judged.Usable:
		shown.State = slotUsable
	case len(judged.Reasons) > 0:
	case info == nil:
		shown.State = slotEmpty
	default:
		shown.State = slotFree
	}
	if info == nil {
		return shown
	}
	wrap := []string{}
	for _, mechanism := range token.WrapMechanisms {
		if slices.ContainsFunc(slot.Mechanisms, func(m token.Mechanism) bool { return m.Type == mechanism }) {
			wrap = append(wrap, mechanism.String())
		}
	}
	shown.Token = &slotTokenView{
		URI: info.URI().String(), Label: info.Label, Serial: string(info.Serial), Manufacturer: info.Manufacturer, Model: info.Model,
		Flags: info.Flags.Names(), LoginRequired: info.Flags.Has(token.CKFLoginRequired), PINCountLow: info.Flags.Has(token.CKFUserPINCountLow),
		MinPINLength: info.MinPINLen, MaxPINLength: info.MaxPINLen, MaxSessions: known(info.MaxSessions), MaxRWSessions: known(info.MaxRWSessions),
		Mechanisms: len(slot.Mechanisms), Shroud: verdict.ListsShroud(slot.Mechanisms), Wrap: wrap, Objects: slot.Objects,
	}
	return shown
}

// known is nil for what a token does not tell.
func known(n token.Count) *token.Count {
	if n == token.Unknown {
		return nil
	}
	return &n
}
