# Commands of several steps. Everything else is the go command's, and .ci/run's.

.PHONY: help rollcall bench-peers pgo bench-pgo

help:
	@echo 'make rollcall      the program, in this folder'
	@echo 'make bench-peers   verification of a card beside other people'\''s verifiers (Node.js)'
	@echo 'make pgo           the profile of the service made anew'
	@echo 'make bench-pgo     what the profile gains'
	@echo 'docs/speed.md tells more.'

rollcall:
	go build -o rollcall ./cmd/rollcall

# Ours, others' and the floors of both, in turns in one run.
bench-peers: rollcall readers/node_modules
	./rollcall bench --peers readers/peers.mjs --run '^(Floor/(node/)?P256Verify|Card/mdoc/Verify/(cold|chain-cached)|Peer/)' --time 1s --count 6

readers/node_modules: readers/package-lock.json
	cd readers && npm ci --ignore-scripts --no-audit --no-fund
	touch readers/node_modules

# Where the service spends its time under load, for the compiler
# (https://go.dev/doc/pgo). docs/speed.md says why no build takes it by itself.
profile := cmd/rollcall/service.pgo
work := rollcall-out/pgo

pgo:
	mkdir -p $(work)
	go build -pgo=off -o $(work)/rollcall ./cmd/rollcall
	$(work)/rollcall bench --run '^Service/(Present|Issue|Credential|Suspend)' --time 2s --count 2 --cpuprofile $(work)/cpu.pprof
	cp $(work)/cpu.service.pprof $(profile)

# Twice three counts of each, by turns: the machine changes meanwhile. What is worse is an
# answer, too.
bench-pgo:
	mkdir -p $(work)
	go build -pgo=off -o $(work)/without ./cmd/rollcall
	go build -pgo=$(profile) -o $(work)/with ./cmd/rollcall
	rm -f $(work)/without.txt $(work)/with.txt
	for i in 1 2; do for build in without with; do \
		$(work)/$$build bench --run '^(Card/(mdoc|sdjwt)/(Verify|Issue)|Service/(Present/mdoc|Issue/mdoc|Credential))' --time 500ms --count 3 >>$(work)/$$build.txt || exit 1; \
	done; done
	-$(work)/with bench --baseline $(work)/without.txt --figures $(work)/with.txt
