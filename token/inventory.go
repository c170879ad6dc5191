package token

import "context"

// Inventory is everything that a token tells without giving up a secret: plain values, good without the token.
// Every object that was enumerated is in it.
type Inventory struct {
	Module     ModuleInfo  `json:"module"`
	Token      Info        `json:"token"`
	LoggedIn   bool        `json:"logged_in"`
	Mechanisms []Mechanism `json:"mechanisms"`
	Objects    []*Object   `json:"objects"`
}

// Inventory reads the token's description, mechanisms and objects, as far as the session's login state shows them.
// Attributes that a token does not tell are in the result with the return value that it gave instead.
func (s *Session) Inventory(ctx context.Context) (*Inventory, error) {
	info, err := s.module.tokenInfo(s.Slot.ID) // anew: the login changes the flags
	if err != nil {
		return nil, err
	}
	mechanisms, err := s.module.mechanisms(s.Slot.ID)
	if err != nil {
		return nil, err
	}
	objects, err := s.objects(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, objects); err != nil {
		return nil, err
	}
	return &Inventory{Module: s.module.Info, Token: *info, LoggedIn: s.LoggedIn, Mechanisms: mechanisms, Objects: objects}, nil
}

// objects reads every object that the session shows. There is one search: each costs many modules a look at every object.
func (s *Session) objects(ctx context.Context) ([]*Object, error) {
	handles, err := s.find(ctx, "all objects")
	if err != nil {
		return nil, err
	}
	objects := make([]*Object, 0, len(handles))
	reader := objectReader{session: s}
	for _, handle := range handles {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		object, err := reader.read(handle)
		if code, told := CodeOf(err); told && code == CKRObjectHandleInvalid {
			continue // removed by somebody else since the search
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}
