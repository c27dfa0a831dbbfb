module backends

go 1.26
