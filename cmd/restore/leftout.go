package restore

import (
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// mostLeftOut are the certificates that a person is told of one by one. The document has them all.
const mostLeftOut = 5

func viewLeftOut(certificates []*pki.Certificate) []*view.Certificate {
	shown := []*view.Certificate{}
	for _, c := range certificates {
		shown = append(shown, view.CertificateOf(c))
	}
	return shown
}

// printLeftOut names the certificates of the file that the key does not get, and how it gets one of them all the same.
func printLeftOut(p *frame.Printer, o *restoreOptions, certificates []*pki.Certificate) {
	for _, c := range certificates[:min(len(certificates), mostLeftOut)] {
		p.Line("  ", messages.Args{"Subject": view.NameText(p.App, c.Subject), "Until": messages.Own(p.Until(c.NotAfter)), "Fingerprint": messages.Own(c.SHA256())}, "restore.left-out")
	}
	if further := len(certificates) - mostLeftOut; further > 0 {
		p.Line("  ", messages.Args{"Count": messages.Number(further)}, "restore.left-out-more")
	}
	if len(certificates) > 0 {
		p.Line("  ", messages.Args{"File": foreign.Text(o.file)}, "restore.left-out-why")
	}
}
