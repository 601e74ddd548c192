// Package httpapi is the service over HTTP: one table of routes and of who may
// call them, the router that is built from it, and what stands before every
// handler: who calls (authentication), limits, logs, metrics.
//
// It decides nothing about cards: handlers are those of the protocols
// (openid4vci, openid4vp, ...) and call the use cases. It may not know how the
// register is kept.
package httpapi
