/* Lives and ends. */

int main(void)
{
	return 0;
}
