package token

import (
	"context"
	"io"
	"slices"

	"p11bridge/token/cryptoki"
)

// Probe tries to wrap the key under every mechanism in turn and tells what the module answered, CKR_OK included. Each try
// has a one-time wrapping key of its own; what comes out is thrown away without having been unwrapped, so that the private
// key is never in clear here. Nothing is written to the token: a read-only session is enough.
func (s *Session) Probe(ctx context.Context, key *Object, listed []Mechanism, random io.Reader) ([]Attempt, error) {
	return s.probe(ctx, key, listed, random, func(Attempt) bool { return false })
}

// ProbeUntil is Probe, and ends with the first answer that settles the question. An answer to CKM_AES_CBC_PAD settles it only where an
// export would shroud, and then only if it is CKR_OK: other ways may be open.
func (s *Session) ProbeUntil(ctx context.Context, key *Object, listed []Mechanism, shrouds bool, random io.Reader) ([]Attempt, error) {
	return s.probe(ctx, key, listed, random, func(a Attempt) bool {
		if a.Mechanism == CKMAESCBCPad {
			return shrouds && a.Code == CKROK
		}
		return a.Code == CKROK || a.RefusesKey()
	})
}

func (s *Session) probe(ctx context.Context, key *Object, listed []Mechanism, random io.Reader, settles func(Attempt) bool) ([]Attempt, error) {
	var attempts []Attempt
	for _, mechanism := range append([]CKM{CKMAESCBCPad}, wrapOrder(listed)...) {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		oneTime, err := newOneTimeKey(mechanism, random)
		if err != nil {
			return nil, err
		}
		mechanisms := oneTime.mechanisms()
		if mechanism == CKMAESCBCPad {
			mechanisms = []cryptoki.Mechanism{{Type: uint(mechanism), Parameter: make([]byte, 16)}}
		}
		attempt := Attempt{Mechanism: mechanism, Function: "C_WrapKey"}
		_, err = s.wrapWith(oneTime.template(), mechanisms, key)
		oneTime.wipe()
		if err != nil {
			code, known := CodeOf(err)
			if !known || connectionLost(code) && !s.stands() {
				return nil, err
			}
			attempt.Function, attempt.Code = functionOf(err), code
		}
		attempts = append(attempts, attempt)
		if settles(attempt) || attempt.Function == "C_WrapKey" && attempt.Code == CKRFunctionNotSupported { // for every mechanism
			break
		}
	}
	withheld, err := s.probeParts(key)
	return append(slices.Clip(attempts), withheld...), err
}

// probeParts asks for the length of a part of a key that says it may be read, and for nothing else: NSS withholds the parts of every key. The answer is there only
// where the token withholds it.
func (s *Session) probeParts(key *Object) ([]Attempt, error) {
	if key.Attributes.Bool(CKASensitive) != False || key.Attributes.Bool(CKAExtractable) != True {
		return nil, nil
	}
	part := CKAValue
	if keyType, _ := key.KeyType(); keyType == CKKRSA {
		part = ckaPrivateExponent
	}
	err := s.getSizes(key.handle, []Attribute{part}, make([]int, 1))
	code, known := CodeOf(err)
	switch {
	case known && connectionLost(code) && !s.stands():
		return nil, err
	case known && code.Withheld():
		return []Attempt{{Function: "C_GetAttributeValue", Code: code}}, nil
	}
	return nil, nil
}
