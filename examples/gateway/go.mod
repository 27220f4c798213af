module github.com/gopymesh/pymesh/examples/gateway

go 1.26.0

require github.com/gopymesh/pymesh v0.0.0

replace github.com/gopymesh/pymesh => ../..
