package host

// PCSCDaemon is what can be seen of the service through which modules reach smart card readers: pcscd on Linux, SCardSvr on
// Windows.
type PCSCDaemon struct {
	Socket  string // SCardSvr on Windows, which has no socket
	Answers bool   // the socket takes a connection; systemd starts the daemon for it if need be
	Problem string // why it does not, in the system's own words
	Process bool   // a process of that name runs
}
