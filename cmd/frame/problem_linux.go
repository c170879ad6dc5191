package frame

import "syscall"

// ownAnswers are this system's answers that have no number of the standard library's.
var ownAnswers map[syscall.Errno]string
