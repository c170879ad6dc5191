package token

import (
	"context"
	"slices"

	"github.com/miekg/pkcs11"
)

// Inventory is everything that a token tells without giving up a secret: plain values, good without the token.
// Every object that was enumerated is in it.
type Inventory struct {
	Module     ModuleInfo  `json:"module"`
	Token      Info        `json:"token"`
	LoggedIn   bool        `json:"logged_in"`
	Mechanisms []Mechanism `json:"mechanisms"`
	Objects    []*Object   `json:"objects"`
}

// kind is a set of objects that are read with one list of attributes, because a token answers alike for all of them.
type kind struct {
	class   Class
	keyType KeyType
	typed   bool // keyType holds
	wanted  []Attribute
}

var (
	certificateAttributes = []Attribute{CKALabel, CKAID, CKACertificateType, CKAValue, CKAToken, CKAPrivate}
	privateKeyAttributes  = []Attribute{CKALabel, CKAID, CKAKeyType, CKAToken, CKAPrivate, CKASensitive, CKAExtractable, CKAAlwaysSensitive,
		CKANeverExtractable, CKALocal, CKAWrapWithTrusted, CKAAlwaysAuthenticate, CKASign, CKADecrypt, CKADerive}
	publicKeyAttributes = []Attribute{CKALabel, CKAID, CKAKeyType, CKAToken, CKAPrivate}
	secretKeyAttributes = []Attribute{CKALabel, CKAID, CKAKeyType, CKAToken, CKAPrivate, CKASensitive, CKAExtractable}
	dataAttributes      = []Attribute{CKALabel, CKAApplication, CKAToken, CKAPrivate}
	otherAttributes     = []Attribute{CKALabel, CKAClass, CKAToken, CKAPrivate}
)

// kinds is the order of the searches, the likeliest first. What an earlier search found, a later and wider one passes over,
// so the last one finds the objects of classes not named here.
func kinds() []kind {
	join := func(as []Attribute, more ...Attribute) []Attribute { return slices.Concat(as, more) }
	rsa := []Attribute{CKAModulus, CKAPublicExponent}
	return []kind{
		{class: CKOCertificate, wanted: certificateAttributes},
		{class: CKOPrivateKey, keyType: CKKRSA, typed: true, wanted: join(privateKeyAttributes, rsa...)},
		{class: CKOPublicKey, keyType: CKKRSA, typed: true, wanted: join(publicKeyAttributes, rsa...)},
		{class: CKOPrivateKey, keyType: CKKEC, typed: true, wanted: join(privateKeyAttributes, CKAECParams, CKAPublicKeyInfo)},
		{class: CKOPublicKey, keyType: CKKEC, typed: true, wanted: join(publicKeyAttributes, CKAECParams, CKAECPoint)},
		{class: CKOPrivateKey, keyType: CKKECEdwards, typed: true, wanted: join(privateKeyAttributes, CKAECParams, CKAPublicKeyInfo)},
		{class: CKOPublicKey, keyType: CKKECEdwards, typed: true, wanted: join(publicKeyAttributes, CKAECParams, CKAECPoint)},
		{class: CKOPrivateKey, wanted: join(privateKeyAttributes, CKAPublicKeyInfo)},
		{class: CKOPublicKey, wanted: publicKeyAttributes},
		{class: CKOSecretKey, wanted: secretKeyAttributes},
		{class: CKOData, wanted: dataAttributes},
		{class: classUnknown, wanted: otherAttributes},
	}
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

// objects reads every object that the session shows. One search counts them first: a search costs many modules a look at
// every object, so the searches by kind end as soon as every object has been read.
func (s *Session) objects(ctx context.Context) ([]*Object, error) {
	all, err := s.find("all objects")
	if err != nil {
		return nil, err
	}
	unread := make(map[pkcs11.ObjectHandle]bool, len(all))
	for _, handle := range all {
		unread[handle] = true
	}
	objects := make([]*Object, 0, len(all))
	for _, k := range kinds() {
		if len(unread) == 0 {
			break
		}
		handles := all
		if k.class != classUnknown {
			if handles, err = s.find(k.String(), k.template()...); err != nil {
				return nil, err
			}
		}
		reader := attributeReader{session: s, kind: k}
		for _, handle := range handles {
			if err := ctx.Err(); err != nil {
				return nil, context.Cause(ctx)
			}
			if !unread[handle] {
				continue
			}
			delete(unread, handle)
			attributes, err := reader.read(handle)
			if err != nil {
				return nil, err
			}
			if _, told := attributes.Ulong(CKAKeyType); k.typed && !told { // the search by key type has told it
				attributes[CKAKeyType] = Answer{Value: ulong(CKAKeyType, uint(k.keyType)).Value}
			}
			object := &Object{Class: k.classOf(attributes), Attributes: attributes, handle: handle}
			object.parse()
			objects = append(objects, object)
		}
	}
	return objects, nil
}

func (k kind) template() []*pkcs11.Attribute {
	template := []*pkcs11.Attribute{ulong(CKAClass, uint(k.class))}
	if k.typed {
		template = append(template, ulong(CKAKeyType, uint(k.keyType)))
	}
	return template
}

// classUnknown marks the search for everything: the class is then an attribute like any other.
const classUnknown = Class(^uint(0))

func (k kind) classOf(as Attributes) Class {
	if k.class != classUnknown {
		return k.class
	}
	if class, ok := as.Ulong(CKAClass); ok {
		return Class(class)
	}
	return classUnknown
}

// String names the search for the observer.
func (k kind) String() string {
	switch {
	case k.class == classUnknown:
		return "all objects"
	case k.typed:
		return k.class.String() + " " + k.keyType.String()
	}
	return k.class.String()
}

// attributeReader reads the objects of one kind and learns what the module does not support for them, so that the next
// object costs one batch again.
type attributeReader struct {
	session     *Session
	kind        kind
	unsupported map[Attribute]CKR
}

// critical attributes decide whether a key may leave: they are asked for anew of every object, whatever the module
// answered for the one before.
var critical = map[Attribute]bool{CKASensitive: true, CKAExtractable: true, CKAValue: true}

func (r *attributeReader) read(handle pkcs11.ObjectHandle) (Attributes, error) {
	attributes := make(Attributes, len(r.kind.wanted))
	wanted := make([]Attribute, 0, len(r.kind.wanted))
	for _, a := range r.kind.wanted {
		if code, known := r.unsupported[a]; known {
			attributes[a] = Answer{Code: code}
		} else {
			wanted = append(wanted, a)
		}
	}
	return attributes, r.batch(handle, wanted, attributes)
}

// batch asks for all attributes at once and, where that fails, for each half, down to the attribute at fault.
func (r *attributeReader) batch(handle pkcs11.ObjectHandle, wanted []Attribute, into Attributes) error {
	if len(wanted) == 0 {
		return nil
	}
	values, err := r.session.get(handle, wanted)
	code, refused := CodeOf(err)
	switch {
	case err == nil:
		for i, a := range wanted {
			into[a] = Answer{Value: values[i]}
			if values[i] == nil { // CK_UNAVAILABLE_INFORMATION with CKR_OK, or a length that cannot be
				into[a] = Answer{Code: CKRAttributeTypeInvalid}
			}
		}
		return nil
	case refused && connectionLost(code):
		return err
	case len(wanted) > 1:
		half := len(wanted) / 2
		if err := r.batch(handle, wanted[:half], into); err != nil {
			return err
		}
		return r.batch(handle, wanted[half:], into)
	}
	if !refused { // the binding could not use the answer
		code = CKRGeneralError
	}
	into[wanted[0]] = Answer{Code: code}
	if code == CKRAttributeTypeInvalid && !critical[wanted[0]] {
		if r.unsupported == nil {
			r.unsupported = map[Attribute]CKR{}
		}
		r.unsupported[wanted[0]] = code
	}
	return nil
}
