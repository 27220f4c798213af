package vmtest
