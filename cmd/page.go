package cmd

// writeDiagnosisPage writes the diagnosis as one self-contained page.
func (a *app) writeDiagnosisPage(o *diagnoseOptions, view diagnosisView) error {
	return usage("error.flag", nil)
}
