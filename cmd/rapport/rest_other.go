//go:build !linux

package main

func rest() {}
