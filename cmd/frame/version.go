package frame

// Version is the version of p11bridge. It stands nowhere else: the packages are named after it, and the changelog has a heading for it.
const Version = "0.1.0"
