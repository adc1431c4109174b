/* A shared library that is no model. */
int effrt_test_nothing(void);

int effrt_test_nothing(void) { return 0; }
