package frame

// The exit codes. They are part of the command line's contract.
const (
	ExitDone     = 0
	ExitFailed   = 1 // could not find out, or could not act
	exitUsage    = 2
	ExitRefused  = 3 // the key cannot leave the token
	exitPIN      = 4 // missing, wrong, locked, or a last attempt that was not risked
	ExitPartly   = 5 // some objects were skipped
	ExitNotACopy = 6 // the file is not a valid copy
)
