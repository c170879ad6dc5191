package cmd

// The exit codes. They are part of the command line's contract.
const (
	exitDone        = 0
	exitFailed      = 1 // could not find out, or could not act
	exitUsage       = 2
	exitRefused     = 3  // the key cannot leave the token
	exitPIN         = 4  // missing, wrong, locked, or a last attempt that was not risked
	exitPartly      = 5  // some objects were skipped
	exitNotACopy    = 6  // the file is not a valid copy
	exitNotReported = -1 // no exit code: the child had told no result when it died
)
