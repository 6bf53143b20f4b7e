/*
 * A guard-page allocator for unmodified programs, loaded with LD_PRELOAD (Linux, glibc or musl).
 *
 * Allocations that an addon makes, and those of the host's buffer allocator, get pages of their own: right-aligned, so that the
 * first byte past the end is on a page without access. `free` takes the access away and never gives the addresses out again.
 * Everything else goes to the C library. A fault inside one of our blocks, or in an image that was unloaded, is reported on
 * stderr in lines that begin with "lifetime-lint guard:" and the signal goes on to its default end.
 *
 * Who allocates is decided by the return address: inside an image whose name ends in ".node" or that the environment names, or
 * (for buffers) inside the main program while it zeroes memory, which is how V8's embedder asks for an ArrayBuffer.
 *
 * Environment: LIFETIME_LINT_GUARD_MATCH  further image names, separated by ':' (a suffix of the path; "*" is every image)
 *              LIFETIME_LINT_GUARD_LIMIT  bytes of address space to spend (default 8 GiB), after which it guards nothing more
 *              LIFETIME_LINT_GUARD_KEEP   "1" makes dlclose do nothing: the counter-experiment for unload bugs
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096UL
#define FRAMES 14
#define MAX_IMAGES 512
#define TABLE_BITS 20
#define TABLE_SIZE (1u << TABLE_BITS)

/* The header lies on a page of its own before the data, so that an overflow of the data cannot reach it. */
struct block {
  uintptr_t base;      /* start of the mapping: header page, data pages, guard page */
  size_t mapped;       /* bytes of the mapping */
  uintptr_t user;      /* what the caller got */
  size_t size;
  int allocated_by;    /* thread ids */
  int freed_by;
  atomic_int state;    /* 0 free slot, 1 live, 2 freed, 3 being written */
  void *allocated_at[FRAMES];
  int allocated_frames;
  void *freed_at[FRAMES];
  int freed_frames;
};

struct image {
  uintptr_t start, end;
  int watched, gone;
  char name[200];
};

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static void *(*next_memalign)(size_t, size_t);
static int (*next_posix_memalign)(void **, size_t, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);
static size_t (*next_usable)(void *);
static void *(*next_dlopen)(const char *, int);
static int (*next_dlclose)(void *);

static struct block *blocks; /* open addressing by mapping start, never shrinks */
static atomic_uint block_count;
static atomic_size_t spent;
static size_t limit = 8UL << 30;
static uintptr_t lowest = UINTPTR_MAX, highest; /* range of all guarded mappings, to answer "not ours" fast */
static struct image images[MAX_IMAGES];
static atomic_int image_count;
static pthread_mutex_t image_lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t program_start, program_end;
static int keep_images;
static char *match;
static atomic_int ready;
static __thread int inside __attribute__((tls_model("initial-exec")));

/* dlsym itself allocates before the real functions are known. */
static char early[65536];
static atomic_size_t early_used;

static void *early_alloc(size_t size) {
  size_t at = atomic_fetch_add(&early_used, (size + 31) & ~15UL);
  if (at + size + 16 > sizeof early) _exit(127);
  *(size_t *)(early + at) = size;
  return early + at + 16;
}

static int is_early(void *p) { return (char *)p >= early && (char *)p < early + sizeof early; }

static int thread_id(void) { return (int)syscall(SYS_gettid); }

static int ends_with(const char *text, const char *end, size_t length) {
  size_t n = strlen(text);
  return n >= length && memcmp(text + n - length, end, length) == 0;
}

static int is_watched(const char *name) {
  if (ends_with(name, ".node", 5)) return 1;
  for (const char *at = match; at && *at;) {
    const char *stop = strchr(at, ':');
    size_t length = stop ? (size_t)(stop - at) : strlen(at);
    if (length == 1 && *at == '*') return 1;
    if (length > 0 && ends_with(name, at, length)) return 1;
    at = stop ? stop + 1 : NULL;
  }
  return 0;
}

static int seen_image(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  unsigned char *found = data;
  uintptr_t start = UINTPTR_MAX, end = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
    uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, to = from + info->dlpi_phdr[i].p_memsz;
    if (from < start) start = from;
    if (to > end) end = to;
  }
  if (end == 0) return 0;
  if (!info->dlpi_name || !*info->dlpi_name) {
    if (program_end == 0) program_start = start, program_end = end;
    return 0;
  }
  int count = atomic_load(&image_count);
  for (int i = 0; i < count; i++) {
    if (images[i].start == start && images[i].end == end && strcmp(images[i].name, info->dlpi_name) == 0) {
      images[i].gone = 0;
      found[i] = 1;
      return 0;
    }
  }
  if (count == MAX_IMAGES) return 0;
  struct image *image = &images[count];
  image->start = start, image->end = end, image->gone = 0;
  strncpy(image->name, info->dlpi_name, sizeof image->name - 1);
  image->watched = is_watched(image->name);
  found[count] = 1;
  atomic_store(&image_count, count + 1);
  return 0;
}

/* Images are remembered when they go, so that a jump into one can be named. */
static void refresh_images(void) {
  unsigned char found[MAX_IMAGES] = {0};
  inside++;
  pthread_mutex_lock(&image_lock);
  dl_iterate_phdr(seen_image, found);
  int count = atomic_load(&image_count);
  for (int i = 0; i < count; i++) if (!found[i]) images[i].gone = 1;
  pthread_mutex_unlock(&image_lock);
  inside--;
}

static const struct image *find_image(uintptr_t pc) {
  int count = atomic_load(&image_count);
  const struct image *gone = NULL;
  for (int i = 0; i < count; i++) {
    if (pc < images[i].start || pc >= images[i].end) continue;
    if (!images[i].gone) return &images[i];
    gone = &images[i];
  }
  return gone;
}

static int from_watched(void *caller) {
  uintptr_t pc = (uintptr_t)caller;
  int count = atomic_load(&image_count);
  for (int i = 0; i < count; i++) {
    if (images[i].watched && !images[i].gone && pc >= images[i].start && pc < images[i].end) return 1;
  }
  return 0;
}

static int from_program(void *caller) {
  uintptr_t pc = (uintptr_t)caller;
  return pc >= program_start && pc < program_end;
}

static void describe_fault(int number, siginfo_t *info, void *context);
static const int watched_signals[] = {SIGSEGV, SIGBUS, SIGILL};
static struct sigaction previous[32];

static void install_handler(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = describe_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (unsigned i = 0; i < sizeof watched_signals / sizeof *watched_signals; i++) {
    sigaction(watched_signals[i], &action, &previous[watched_signals[i]]);
  }
}

__attribute__((constructor)) static void start(void) {
  if (atomic_load(&ready)) return;
  inside++;
  next_malloc = dlsym(RTLD_NEXT, "malloc");
  next_calloc = dlsym(RTLD_NEXT, "calloc");
  next_realloc = dlsym(RTLD_NEXT, "realloc");
  next_free = dlsym(RTLD_NEXT, "free");
  next_memalign = dlsym(RTLD_NEXT, "memalign");
  next_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
  next_aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
  next_usable = dlsym(RTLD_NEXT, "malloc_usable_size");
  next_dlopen = dlsym(RTLD_NEXT, "dlopen");
  next_dlclose = dlsym(RTLD_NEXT, "dlclose");
  match = getenv("LIFETIME_LINT_GUARD_MATCH");
  const char *text = getenv("LIFETIME_LINT_GUARD_LIMIT");
  if (text) limit = strtoull(text, NULL, 10);
  text = getenv("LIFETIME_LINT_GUARD_KEEP");
  keep_images = text && *text == '1';
  blocks = mmap(NULL, sizeof(struct block) * TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (blocks == MAP_FAILED) blocks = NULL;
  /* The first backtrace loads libgcc; it must not happen inside an allocation. */
  void *warm[2];
  backtrace(warm, 2);
  inside--;
  refresh_images();
  install_handler();
  atomic_store(&ready, 1);
}

static unsigned slot_of(uintptr_t page) { return (unsigned)((page / PAGE) * 2654435761u) >> (32 - TABLE_BITS); }

/* The page before the user's pointer leads to its block: every data page is entered in the table by its first page only,
   so a pointer is looked up by the page it was handed out on. */
static struct block *find_block(void *p) {
  uintptr_t at = (uintptr_t)p;
  if (!blocks || at < lowest || at >= highest) return NULL;
  uintptr_t page = at & ~(PAGE - 1);
  for (unsigned i = slot_of(page), n = 0; n < TABLE_SIZE; i = (i + 1) & (TABLE_SIZE - 1), n++) {
    int state = atomic_load(&blocks[i].state);
    if (state == 0) return NULL;
    if (state != 3 && (blocks[i].user & ~(PAGE - 1)) == page) return &blocks[i];
  }
  return NULL;
}

/* For a fault anywhere in a mapping; slow, and only used when the process is about to die. */
static struct block *find_containing(uintptr_t at) {
  for (unsigned i = 0; blocks && i < TABLE_SIZE; i++) {
    int state = atomic_load(&blocks[i].state);
    if (state != 0 && state != 3 && at >= blocks[i].base && at < blocks[i].base + blocks[i].mapped) return &blocks[i];
  }
  return NULL;
}

static int take_backtrace(void **frames) {
  inside++;
  int count = backtrace(frames, FRAMES);
  inside--;
  return count;
}

static void *guarded_alloc(size_t size, size_t alignment) {
  if (!blocks || atomic_load(&block_count) > TABLE_SIZE / 2) return NULL;
  if (alignment < 16) alignment = size >= 16 ? 16 : size >= 8 ? 8 : size >= 4 ? 4 : 1;
  if (alignment > PAGE) return NULL;
  size_t data = (size + PAGE - 1) & ~(PAGE - 1);
  if (data == 0) data = PAGE;
  size_t mapped = data + PAGE;
  if (atomic_fetch_add(&spent, mapped) + mapped > limit) return NULL;
  char *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return NULL;
  if (mprotect(base + data, PAGE, PROT_NONE) != 0) {
    /* Out of mappings (vm.max_map_count): stop guarding rather than fail the program. */
    munmap(base, mapped);
    atomic_store(&spent, limit);
    return NULL;
  }
  uintptr_t user = ((uintptr_t)base + data - size) & ~(alignment - 1);
  for (unsigned i = slot_of(user & ~(PAGE - 1)), n = 0; n < TABLE_SIZE; i = (i + 1) & (TABLE_SIZE - 1), n++) {
    int expected = 0;
    struct block *block = &blocks[i];
    if (!atomic_compare_exchange_strong(&block->state, &expected, 3)) continue;
    block->base = (uintptr_t)base, block->mapped = mapped, block->user = user, block->size = size;
    block->allocated_by = thread_id();
    block->allocated_frames = take_backtrace(block->allocated_at);
    atomic_fetch_add(&block_count, 1);
    if ((uintptr_t)base < lowest) lowest = (uintptr_t)base;
    if ((uintptr_t)base + mapped > highest) highest = (uintptr_t)base + mapped;
    atomic_store(&block->state, 1);
    return (void *)user;
  }
  munmap(base, mapped);
  return NULL;
}

static char line[1024];
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  va_list list;
  __builtin_va_start(list, format);
  int length = vsnprintf(line, sizeof line, format, list);
  __builtin_va_end(list);
  if (length > (int)sizeof line) length = sizeof line;
  ssize_t ignored = write(2, line, (size_t)length);
  (void)ignored;
}

static void say_frames(const char *what, void **frames, int count) {
  say("lifetime-lint guard:   %s\n", what);
  for (int i = 0; i < count; i++) {
    Dl_info info;
    uintptr_t pc = (uintptr_t)frames[i];
    const struct image *image = find_image(pc);
    if (image && image->gone) say("lifetime-lint guard:     #%d %s+0x%lx (unloaded)\n", i, image->name, (long)(pc - image->start));
    else if (dladdr(frames[i], &info) && info.dli_fname) {
      /* Our own frames say nothing about the program. */
      if (strstr(info.dli_fname, "guard-pages")) continue;
      say("lifetime-lint guard:     #%d %s (%s+0x%lx)\n", i, info.dli_sname ? info.dli_sname : "?", info.dli_fname,
          (long)(pc - (uintptr_t)info.dli_fbase));
    } else say("lifetime-lint guard:     #%d 0x%lx\n", i, (long)pc);
  }
}

static void describe_block(const char *what, uintptr_t at, struct block *block) {
  long offset = (long)(at - block->user);
  say("lifetime-lint guard: %s: address 0x%lx is %ld bytes %s the start of a block of %zu bytes, thread %d\n", what, (long)at,
      offset < 0 ? -offset : offset, offset < 0 ? "before" : "after", block->size, thread_id());
  char text[64];
  snprintf(text, sizeof text, "allocated by thread %d at", block->allocated_by);
  say_frames(text, block->allocated_at, block->allocated_frames);
  if (atomic_load(&block->state) == 2) {
    snprintf(text, sizeof text, "freed by thread %d at", block->freed_by);
    say_frames(text, block->freed_at, block->freed_frames);
  }
}

static uintptr_t program_counter(void *context) {
#if defined(__x86_64__)
  return (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  return (uintptr_t)((ucontext_t *)context)->uc_mcontext.pc;
#else
  (void)context;
  return 0;
#endif
}

static void describe_fault(int number, siginfo_t *info, void *context) {
  inside++;
  uintptr_t at = (uintptr_t)info->si_addr, pc = program_counter(context);
  struct block *block = number == SIGILL ? NULL : find_containing(at);
  const struct image *image = find_image(pc);
  /* A fetch that faults inside an image means that its pages are gone, whether or not dlclose has told us yet. */
  int unloaded = image && (image->gone || at == pc);
  int ours = block || unloaded;
  if (ours) {
    pthread_mutex_lock(&report_lock);
    if (block) {
      int freed = atomic_load(&block->state) == 2;
      describe_block(freed ? "use after free" : "access past the end", at, block);
      void *frames[FRAMES];
      say_frames("accessed at", frames, backtrace(frames, FRAMES));
    } else {
      say("lifetime-lint guard: jump into an unloaded image: %s+0x%lx, thread %d\n", image->name, (long)(pc - image->start), thread_id());
    }
    pthread_mutex_unlock(&report_lock);
  }
  inside--;
  if (!ours && previous[number].sa_handler != SIG_DFL && previous[number].sa_handler != SIG_IGN) {
    /* Wasm traps and stack checks of the host are its own business. */
    if (previous[number].sa_flags & SA_SIGINFO) previous[number].sa_sigaction(number, info, context);
    else previous[number].sa_handler(number);
    return;
  }
  signal(number, SIG_DFL);
  /* The faulting instruction runs again and ends the process with a proper core. */
}

/* Node installs its own handlers after us; ours stays first, theirs is asked when the fault is not ours. */
static int (*next_sigaction)(int, const struct sigaction *, struct sigaction *);
int sigaction(int number, const struct sigaction *action, struct sigaction *old) {
  if (!next_sigaction) next_sigaction = dlsym(RTLD_NEXT, "sigaction");
  if (atomic_load(&ready) && !inside && (number == SIGSEGV || number == SIGBUS || number == SIGILL)) {
    if (old) *old = previous[number];
    if (action) previous[number] = *action;
    return 0;
  }
  return next_sigaction(number, action, old);
}

static int wants_guard(void *caller) { return !inside && atomic_load(&ready) && from_watched(caller); }

void *malloc(size_t size) {
  if (!next_malloc) {
    if (inside) return early_alloc(size);
    start();
  }
  void *caller = __builtin_return_address(0);
  if (wants_guard(caller)) {
    void *p = guarded_alloc(size, 0);
    if (p) return p;
  }
  return next_malloc(size);
}

void *calloc(size_t count, size_t size) {
  if (!next_calloc) {
    if (inside) return early_alloc(count * size);
    start();
  }
  size_t total;
  if (__builtin_mul_overflow(count, size, &total)) return NULL;
  void *caller = __builtin_return_address(0);
  /* The host's ArrayBuffers come from calloc of single bytes in the main program. */
  if (wants_guard(caller) || (!inside && atomic_load(&ready) && (size == 1 || count == 1) && total >= 32 && from_program(caller))) {
    void *p = guarded_alloc(total, 0);
    if (p) return p;
  }
  return next_calloc(count, size);
}

static void guarded_free(struct block *block) {
  int expected = 1;
  if (!atomic_compare_exchange_strong(&block->state, &expected, 2)) {
    inside++;
    pthread_mutex_lock(&report_lock);
    describe_block("double free", block->user, block);
    void *frames[FRAMES];
    say_frames("freed again at", frames, backtrace(frames, FRAMES));
    pthread_mutex_unlock(&report_lock);
    abort();
  }
  block->freed_by = thread_id();
  block->freed_frames = take_backtrace(block->freed_at);
  /* Access goes, memory goes back to the system, the addresses stay taken. */
  mprotect((void *)block->base, block->mapped, PROT_NONE);
  madvise((void *)block->base, block->mapped, MADV_DONTNEED);
}

void free(void *p) {
  if (!p || is_early(p)) return;
  struct block *block = find_block(p);
  if (block) {
    if ((uintptr_t)p != block->user) {
      inside++;
      describe_block("free of an interior pointer", (uintptr_t)p, block);
      abort();
    }
    guarded_free(block);
    return;
  }
  if (!next_free) start();
  next_free(p);
}

void *realloc(void *p, size_t size) {
  void *caller = __builtin_return_address(0);
  if (!next_realloc) start();
  struct block *block = p ? find_block(p) : NULL;
  if (!block && !is_early(p) && !(p == NULL && wants_guard(caller))) return next_realloc(p, size);
  void *fresh = wants_guard(caller) || block ? guarded_alloc(size, 0) : NULL;
  if (!fresh) fresh = next_malloc(size);
  if (!fresh || !p) return fresh;
  size_t old = block ? block->size : is_early(p) ? *(size_t *)((char *)p - 16) : 0;
  memcpy(fresh, p, old < size ? old : size);
  free(p);
  return fresh;
}

static void *aligned(size_t alignment, size_t size, void *caller) {
  return wants_guard(caller) ? guarded_alloc(size, alignment) : NULL;
}

void *memalign(size_t alignment, size_t size) {
  if (!next_memalign) start();
  void *p = aligned(alignment, size, __builtin_return_address(0));
  return p ? p : next_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  if (!next_aligned_alloc) start();
  void *p = aligned(alignment, size, __builtin_return_address(0));
  return p ? p : next_aligned_alloc(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (!next_posix_memalign) start();
  void *p = aligned(alignment, size, __builtin_return_address(0));
  if (!p) return next_posix_memalign(result, alignment, size);
  *result = p;
  return 0;
}

size_t malloc_usable_size(void *p) {
  struct block *block = p ? find_block(p) : NULL;
  if (block) return block->size;
  if (!next_usable) start();
  return next_usable ? next_usable(p) : 0;
}

void *dlopen(const char *file, int flags) {
  if (!next_dlopen) start();
  void *handle = next_dlopen(file, flags);
  if (handle && atomic_load(&ready)) refresh_images();
  return handle;
}

int dlclose(void *handle) {
  if (!next_dlclose) start();
  if (keep_images) return 0;
  int result = next_dlclose(handle);
  if (atomic_load(&ready)) refresh_images();
  return result;
}
