package verdict

import (
	"fmt"

	"p11bridge/token"
	"p11bridge/token/tokentest"
)

// withheld is a certificate that shows after the login alone, as a snapshot has it.
func withheld() *token.Object {
	o := tokentest.CertificateOf("a", nil)
	o.Attributes.Set(token.CKAPrivate, token.Answer{Value: []byte{1}})
	return o.Snapshot()
}

// withheldRows are about what a snapshot does not hold.
var withheldRows = []judgeRow{
	{"a certificate that a snapshot left out, beside its key, another's, and a certificate without one", []*token.Object{
		tokentest.PrivateKey("a", tokentest.Wrappable), tokentest.PrivateKey("b", tokentest.Locked.With(tokentest.Values{token.CKAID: []byte{2}})), withheld(),
		tokentest.PrivateKey("c", tokentest.Wrappable.With(tokentest.Values{token.CKAID: []byte{3}})), tokentest.CertificateOf("c", nil), tokentest.CertificateOf("d", nil),
	}, nil, []string{
		yesByWrap + `; certificate-withheld {"CKA_ID":"01"}`, bornHere + `; certificate-withheld {"CKA_ID":"02"}`, yesByWrap,
		`no: certificate-withheld {"CKA_ID":"01"}`, fmt.Sprintf(`no: certificate-does-not-match-key {"CKA_ID":"01","certificate_key":"EC …%x","private_key":"EC …%x"}`, tail("d"), tail("a")),
	}},
	{"a certificate that a snapshot left out, on a token that hides its keys", []*token.Object{withheld()}, loggedOut, []string{`no: certificate-withheld {"CKA_ID":"01"}`}},
}
