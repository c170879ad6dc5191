// Package dist tests the packages that scripts/packages makes: what is in them, that they can be made again byte for byte, and that they
// can be installed, used and removed in a minimal Debian. `make test-dist` runs the tests.
package dist
