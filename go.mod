module github.com/rapport-cx/rapport

go 1.26
