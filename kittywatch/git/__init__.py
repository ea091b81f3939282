"""All that asks git or reads its files: a repository, its objects, its reflogs, its operations under way."""
