# Thin names for the scripts in dev/, which do the work and can be called directly.
.PHONY: demo test quick lint golden assets
demo: ; @dev/demo
test: ; @dev/test
quick: ; @dev/test quick
lint: ; @dev/lint
golden: ; @dev/golden
assets: ; @dev/assets
