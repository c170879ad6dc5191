package bridge

import (
	"bytes"
	"fmt"
	"slices"

	"p11bridge/token"
)

// unread is the error for objects that could be what is about to be put on the token, and could not be read: without it a second
// one would be put beside the first. ids are the CKA_IDs that may be theirs.
func unread(objects []*token.Object, ids [][]byte) error {
	for _, o := range objects {
		contents := token.CKAValue
		switch {
		case o.Class == token.CKOPublicKey && !publicKnown(o):
			contents = token.CKAModulus
			if keyType, _ := o.KeyType(); keyType != token.CKKRSA {
				contents = token.CKAECPoint
			}
		case o.Class != token.CKOCertificate || o.Certificate != nil:
			continue
		}
		id, _ := o.Attributes.Answer(token.CKAID)
		if id.Code == token.CKROK && len(id.Value) > 0 && !slices.ContainsFunc(ids, func(one []byte) bool { return bytes.Equal(one, id.Value) }) {
			continue
		}
		answer, _ := o.Attributes.Answer(contents)
		switch {
		case answer.Code == token.CKROK && o.Class == token.CKOCertificate && len(answer.Value) > 0:
			return &token.AnswerError{Function: "C_GetAttributeValue", Fault: token.AnswerData, Err: fmt.Errorf("%s with CKA_ID %x: %s", o.Class, id.Value, o.CertificateProblem)}
		case answer.Code != token.CKROK && (o.Class == token.CKOCertificate || answer.Code != token.CKRAttributeTypeInvalid):
			return &token.Error{Function: "C_GetAttributeValue", Code: answer.Code}
		}
	}
	return nil
}

func publicKnown(o *token.Object) bool {
	_, known := token.PublicKeyOf(o)
	return known
}
