from own_run_of_this_test import init, run
