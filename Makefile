# The everyday commands; `make install` first, in a virtual environment.
.PHONY: install test lint format docs tables bench fuzz coverage

install:
	python -m pip install -e ".[dev,bench]"

test:
	python -m pytest

lint:
	ruff check .
	ruff format --check .
	mypy
	codespell ./*.md docs dezero dezero_cli

format:
	ruff check --fix .
	ruff format .

docs: # the page of commands, from their help
	python docs/write_commands.py

tables: # the parser's tables, from grammar.lark
	python -m dezero_cli.language.grammar

bench: # half an hour, on a machine that does nothing else
	python -m bench --write docs/performance.md

fuzz:
	python -m tests.fuzz expressions -max_total_time=300 -timeout=1 -rss_limit_mb=512 -max_len=400
	python -m tests.fuzz lines -max_total_time=300 -timeout=1 -rss_limit_mb=512 -max_len=400
	for target in csv jsonl parquet arrow options derive; do \
	  python -m tests.fuzz $$target -max_total_time=300 -timeout=5 -rss_limit_mb=2048 -max_len=2000 || exit 1; \
	done

coverage:
	python -m pytest --cov --cov-report=term:skip-covered
