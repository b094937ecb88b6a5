/* How long something takes in POSIX threads that are all there when it begins. */
#ifndef IN_THREADS_H
#define IN_THREADS_H

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define MAX_THREADS 64

static pthread_barrier_t barrier;
static void (*share)(size_t id);

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *run_thread(void *id) {
  pthread_barrier_wait(&barrier);
  share((size_t)id);
  pthread_barrier_wait(&barrier);
  return NULL;
}

/* Nanoseconds in which each of `threads`, MAX_THREADS at most, does the share of its number. */
static uint64_t timed_in_threads(size_t threads, void (*of_each)(size_t id)) {
  pthread_t thread[MAX_THREADS];
  share = of_each;
  pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
  for (size_t i = 0; i < threads; i++) pthread_create(&thread[i], NULL, run_thread, (void *)i);
  uint64_t start = now_ns();
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  uint64_t ns = now_ns() - start;
  for (size_t i = 0; i < threads; i++) pthread_join(thread[i], NULL);
  pthread_barrier_destroy(&barrier);
  return ns;
}

#endif
