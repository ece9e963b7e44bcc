/*
 * Becomes a user and then a program. The launcher, where it is root, starts it for the jobs of users, and
 * whoever it is for those that stay so, but with limits or in a group; it is not setuid. Everything was looked up
 * before: here are numbers and system calls, in a fixed order.
 *
 *     become TROUBLE LIMITS ENTRANCE UID GID GROUPS REQUIRED FOLDER PROGRAM ARGUMENT...
 *
 * TROUBLE is a descriptor: what fails is told there as three ints, our pid, the stage and errno. LIMITS are
 * written NUMBER:SOFT:HARD, with commas between them. ENTRANCE is a descriptor too, by which we enter the
 * cgroup that we are to be in, or 0 for none. GROUPS are numbers with commas between them. UID, GID and GROUPS
 * are - all three if we are to stay who we are. Unless REQUIRED is 1, a program whose FOLDER cannot be entered
 * runs where we are.
 *
 * There is no C library in it: that would take three times as long to begin, and would obey variables
 * (LD_PRELOAD, GLIBC_TUNABLES) that a crontab sets for its job, while we are still root.
 */
#include <asm/errno.h>
#include <sys/syscall.h>

enum stage { RESOURCES = 1, USER = 2, CHDIR = 3, EXEC = 4 }; /* as in spawn.py */
enum { NAME, TROUBLE, LIMITS, ENTRANCE, UID, GID, GROUPS, REQUIRED, FOLDER, PROGRAM, ARGUMENTS };

/* The kernel's numbers, the same on all machines that are known below. */
#define SET_DESCRIPTOR_FLAGS 2
#define CLOSE_ON_EXEC 1
#define MOST_DESCRIPTOR 0x7fffffffUL
#define MOST_NUMBER 255 /* of limits; the kernel knows 16 */
#define LAST_SIGNAL 64
#define MOST_GROUPS 65536
#define MOST_ID 4294967294UL /* the one above it means "leave it" */
#define MOST_LIMIT 18446744073709551615UL

static long trouble;
static unsigned int groups[MOST_GROUPS];
static const long by_default[4]; /* a struct sigaction of the kernel's, all zero */

/* begin() is called with the stack as the kernel left it. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call begin\n");

static long call(long number, long first, long second, long third, long fourth)
{
    long result;
    register long r10 __asm__("r10") = fourth;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n  mov x29, #0\n  mov x0, sp\n  bl begin\n");

static long call(long number, long first, long second, long third, long fourth)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = first;
    register long x1 __asm__("x1") = second;
    register long x2 __asm__("x2") = third;
    register long x3 __asm__("x3") = fourth;

    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
#else
#error "for this machine there is none; crond does without"
#endif

static _Noreturn void leave(int status)
{
    for (;;)
        call(SYS_exit_group, status, 0, 0, 0);
}

/* `result` is what a system call returned: an errno below zero if it failed. */
static void check(long result, enum stage stage)
{
    int record[3] = {0, (int)stage, (int)-result};

    if (result >= 0)
        return;
    record[0] = (int)call(SYS_getpid, 0, 0, 0, 0);
    call(SYS_write, trouble, (long)record, sizeof record, 0);
    leave(127);
}

/* Reads a number of at most `most`, which ends at `end` or with the text, and moves `text` behind it. */
static unsigned long number(const char **text, unsigned long most, char end)
{
    const char *at = *text;
    unsigned long value = 0;

    do {
        unsigned long digit = (unsigned long)(*at - '0');

        if (digit > 9 || value > most / 10 || digit > most - value * 10)
            check(-EINVAL, RESOURCES);
        value = value * 10 + digit;
    } while (*++at != '\0' && *at != end);
    *text = *at == '\0' ? at : at + 1;
    return value;
}

static unsigned long whole(const char *text, unsigned long most)
{
    return number(&text, most, '\0');
}

static long read_groups(const char *text)
{
    long count = 0;

    while (*text != '\0') {
        if (count == MOST_GROUPS)
            check(-EINVAL, USER);
        groups[count++] = (unsigned int)number(&text, MOST_ID, ',');
    }
    return count;
}

static void enter(long group)
{
    check(call(SYS_fcntl, group, SET_DESCRIPTOR_FLAGS, CLOSE_ON_EXEC, 0), RESOURCES);
    check(call(SYS_write, group, (long)"0", 1, 0), RESOURCES);
}

static void bound(const char *text)
{
    while (*text != '\0') {
        long which = (long)number(&text, MOST_NUMBER, ':');
        unsigned long limit[2];

        limit[0] = number(&text, MOST_LIMIT, ':');
        limit[1] = number(&text, MOST_LIMIT, ',');
        check(call(SYS_prlimit64, 0, which, (long)limit, 0), RESOURCES);
    }
}

static int is_dash(const char *text)
{
    return text[0] == '-' && text[1] == '\0';
}

static void take_on(char **words)
{
    long uid, gid;

    /* All three, so that no single wrong word makes anybody stay root. */
    if (is_dash(words[UID]) && is_dash(words[GID]) && is_dash(words[GROUPS]))
        return;
    uid = (long)whole(words[UID], MOST_ID);
    gid = (long)whole(words[GID], MOST_ID);
    /* Groups first, while we still may; all three of each number, so that there is no way back. */
    check(call(SYS_setgroups, read_groups(words[GROUPS]), (long)groups, 0, 0), USER);
    check(call(SYS_setresgid, gid, gid, gid, 0), USER);
    check(call(SYS_setresuid, uid, uid, uid, 0), USER);
}

_Noreturn void begin(long *stack);
_Noreturn void begin(long *stack)
{
    long count = stack[0];
    char **words = (char **)(stack + 1);
    char **environment = words + count + 1;
    long group, entered;

    if (count <= ARGUMENTS)
        leave(2);
    trouble = (long)whole(words[TROUBLE], MOST_DESCRIPTOR);
    check(call(SYS_fcntl, trouble, SET_DESCRIPTOR_FLAGS, CLOSE_ON_EXEC, 0), RESOURCES);
    group = (long)whole(words[ENTRANCE], MOST_DESCRIPTOR);
    if (group != 0)
        enter(group);
    /* The C library keeps two signals to itself, and has them ignored in what it spawns. */
    for (int signal = 1; signal <= LAST_SIGNAL; signal++)
        call(SYS_rt_sigaction, signal, (long)by_default, 0, 8);
    bound(words[LIMITS]);
    take_on(words);

    entered = call(SYS_chdir, (long)words[FOLDER], 0, 0, 0);
    if (words[REQUIRED][0] == '1')
        check(entered, CHDIR);
    check(call(SYS_execve, (long)words[PROGRAM], (long)(words + ARGUMENTS), (long)environment, 0), EXEC);
    leave(127);
}
