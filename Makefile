# Short names for what a developer runs often.
test:
	pytest -q

slow:
	HYPOTHESIS_PROFILE=explore pytest -q -m slow -o addopts="-ra" tests

lint:
	ruff check src tests && ruff format --check src tests

.PHONY: test slow lint
