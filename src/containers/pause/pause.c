// Holds a task's network namespace open: the containers of an awsvpc task join the namespace of the container that runs
// this, as they do in ECS. It waits, buries children that were left to it, and ends with 0 when it is told to.

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

int main(void) {
  // Process 1 gets no signal that it neither handles nor blocks.
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &awaited, NULL) != 0) {
    return 1;
  }
  for (;;) {
    int received = 0;
    if (sigwait(&awaited, &received) != 0) {
      return 1;
    }
    if (received != SIGCHLD) {
      return 0;
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
}
