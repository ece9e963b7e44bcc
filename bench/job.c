/*
 * A job that only says when it began: job NUMBER FILE appends "nanoseconds NUMBER pid" to FILE and prints
 * one line, so that there is output to capture. job NUMBER FILE ENDED appends to ENDED, as its last act, when
 * that was.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static char line[96];
static int length;

static int note(const char *path, const char *number)
{
    struct timespec now;
    int file, written;

    clock_gettime(CLOCK_REALTIME, &now);
    file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    length = snprintf(line, sizeof line, "%lld%09ld %.20s %ld\n", (long long)now.tv_sec, now.tv_nsec, number,
                      (long)getpid());
    written = file >= 0 && write(file, line, length) == length;
    close(file);
    return written;
}

int main(int count, char **arguments)
{
    if (count != 3 && count != 4)
        return 2;
    if (!note(arguments[2], arguments[1]))
        return 1;
    if (write(1, line, length) != length)
        return 1;
    return count == 3 || note(arguments[3], arguments[1]) ? 0 : 1;
}
