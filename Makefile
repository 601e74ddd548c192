# Commands of several steps. Everything else is the go command's, and .ci/run's.

.PHONY: help rollcall bench-peers

help:
	@echo 'make rollcall      the program, in this folder'
	@echo 'make bench-peers   verification of a card beside other people'\''s verifiers (Node.js; docs/speed.md)'

rollcall:
	go build -o rollcall ./cmd/rollcall

# Ours, others' and the floors of both, in turns in one run.
bench-peers: rollcall readers/node_modules
	./rollcall bench --peers readers/peers.mjs --run '^(Floor/(node/)?P256Verify|Card/mdoc/Verify/(cold|chain-cached)|Peer/)' --time 1s --count 6

readers/node_modules: readers/package-lock.json
	cd readers && npm ci --ignore-scripts --no-audit --no-fund
	touch readers/node_modules
