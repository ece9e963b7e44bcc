/*
 * A job that only says when it began: job NUMBER FILE appends "nanoseconds NUMBER pid" to FILE and prints
 * one line, so that there is output to capture.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    struct timespec now;
    char line[96];
    int length, file;

    clock_gettime(CLOCK_REALTIME, &now);
    if (count != 3)
        return 2;
    file = open(arguments[2], O_WRONLY | O_APPEND | O_CREAT, 0600);
    length = snprintf(line, sizeof line, "%lld%09ld %.20s %ld\n", (long long)now.tv_sec, now.tv_nsec,
                      arguments[1], (long)getpid());
    if (file < 0 || write(file, line, length) != length)
        return 1;
    return write(1, line, length) == length ? 0 : 1;
}
