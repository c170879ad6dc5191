package terminal

import "testing"

func TestAnswersHang(t *testing.T) {
	t.Parallel()
	const answer = "alice – can be backed up\n  Certificate of CN=alice, valid until 1 January 2028"
	if got, want := inList(answer, 40), "alice – can be backed up\n  Certificate of CN=alice, valid until\n  1 January 2028"; got != want {
		t.Errorf("%q", got)
	}
	if got := inList(answer, 400); got != answer {
		t.Errorf("%q", got)
	}
}
