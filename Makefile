# The front door. Each target is a thin call of a CMake preset; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help packages build demo check truth table soak fleet fleet-packages fleet-probe deb dev asan tsan fuzz tidy bench format clean

PRESET ?= release

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

packages:  ## install the Debian packages that are missing
	@cmake/install-packages.sh

build: packages  ## build PRESET (release) into build/PRESET/bin
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET)

demo: packages  ## build what it needs, then run the demo campaign on this machine: two agents and a server
	@echo "make demo: builds kbench, kbench-agent and kbench-server (minutes, the first time; no tests),"
	@echo "then measures 12 cells 9 times each (about three minutes) and prints the report"
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET) --target kbench kbench-agent kbench-server
	build/$(PRESET)/bin/kbench run campaigns/demo.yaml --local 2

check: build $(if $(FLEET),fleet-probe)  ## build and pass every test; with FLEET=1 also those of `make fleet`
	@ctest --preset $(PRESET) $(if $(FLEET),-C fleet); status=$$?; \
	tests/not_judged.sh build/$(PRESET)/not_judged.txt || test $$? -eq 77 && exit $$status

truth: build  ## only the tests that hold the separation against injected delays
	ctest --preset $(PRESET) -L truth

table: build  ## the long table of known truths (root, about 15 minutes), as Markdown
	@rm -f build/$(PRESET)/acceptance.md
	@ctest --preset $(PRESET) -C table -L table; status=$$?; cat build/$(PRESET)/acceptance.md; exit $$status

soak: build  ## random faults in a row (root, about 20 minutes)
	@ctest --preset $(PRESET) -C soak -L soak -V

fleet-packages: packages
	@cmake/install-packages.sh fleet-packages.txt

deb: fleet-packages  ## Debian packages kbench, kbench-agent, kbench-server, into build/PRESET/packages
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET) --target deb

# Says what of the fleet's tests will be skipped, and why; where packages cannot be installed, too.
fleet-probe:
	@$(MAKE) --no-print-directory fleet-packages || echo "going on without these packages"
	@tests/e2e/fleet_test.py --probe || test $$? -eq 77

fleet: deb fleet-probe  ## only the tests of playbooks and packages, and of deploying to five hosts on this machine (root)
	ctest --preset $(PRESET) -C fleet -L fleet

dev:  ## debug build and its tests
	$(MAKE) check PRESET=dev

asan:  ## tests under the address and undefined-behaviour sanitizers
	$(MAKE) check PRESET=asan

tsan:  ## tests under the thread sanitizer, without those that run gRPC
	$(MAKE) check PRESET=tsan

fuzz:  ## fuzz targets under libFuzzer, briefly
	$(MAKE) check PRESET=fuzz

tidy:  ## clang-tidy over everything, and the structure test
	$(MAKE) check PRESET=tidy

bench: build  ## benchmarks, at full length
	@for b in build/$(PRESET)/tests/bin/*_bench; do echo "== $$b"; $$b; done

format:  ## clang-format every source file
	git ls-files '*.cc' '*.h' | xargs clang-format -i

clean:  ## remove build/
	rm -rf build
