package pki

import (
	"math/big"
	"testing"
)

func TestCurveTable(t *testing.T) {
	for _, c := range curves() {
		t.Run(c.name, func(t *testing.T) {
			if !c.p.ProbablyPrime(20) || !c.n.ProbablyPrime(20) {
				t.Error("p or n is not prime")
			}
			if !c.contains(c.gx, c.gy) {
				t.Error("the base point is not on the curve")
			}
			if _, _, ok := c.affine(c.multiply(c.n, jacobian{c.gx, c.gy, big.NewInt(1)})); ok {
				t.Error("n·G is not the point at infinity")
			}
		})
	}
}
