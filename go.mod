module github.com/gopymesh/pymesh

go 1.26
