/* Counts the instructions that a program executes in QEMU, exactly: a plugin for it.
 *
 *   qemu-system-arm … -plugin ./instructions.so,out=FILE,NAME=ADDRESS[,NAME=ADDRESS…]
 *
 * Each time that the instruction at an ADDRESS (hexadecimal) is about to be executed, a
 * line "NAME COUNT" is written to FILE, where COUNT is how many were executed since the
 * start. The difference of two lines is exact, and the same in every run of the same
 * inputs. They are instructions, not cycles.
 *
 * QEMU's plugin API, version 1, is declared here as far as it is used: Debian ships no
 * header of it (QEMU, docs/devel/tcg-plugins.rst, include/qemu/qemu-plugin.h).
 *
 *   cc -shared -fPIC -O2 -Wall -Wextra -o instructions.so instructions.c
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info_t qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t,
                                           void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *,
                                            void (*)(unsigned int, void *),
                                            enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, enum qemu_plugin_op,
                                                void *, uint64_t);

EXPORT int qemu_plugin_version = 1;

/* A point of the program at which the count is written down. */
struct point {
    const char *name;
    uint64_t address;
};

enum { MOST_POINTS = 64 };
static struct point points[MOST_POINTS];
static size_t point_count;
static uint64_t executed;
static FILE *out;

static void write_count(unsigned int cpu, void *point)
{
    (void)cpu;
    fprintf(out, "%s %" PRIu64 "\n", ((struct point *)point)->name, executed);
    fflush(out);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        uint64_t address = qemu_plugin_insn_vaddr(instruction);
        for (size_t j = 0; j < point_count; j++) {
            if (points[j].address == address) {
                qemu_plugin_register_vcpu_insn_exec_cb(instruction, write_count,
                                                       QEMU_PLUGIN_CB_NO_REGS, &points[j]);
            }
        }
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, QEMU_PLUGIN_INLINE_ADD_U64,
                                                   &executed, 1);
    }
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value == NULL) {
            fprintf(stderr, "instructions: '%s' has no '='\n", argv[i]);
            return 1;
        }
        *value++ = '\0';
        if (strcmp(argv[i], "out") == 0) {
            out = fopen(value, "w");
            if (out == NULL) {
                perror(value);
                return 1;
            }
            continue;
        }
        char *end;
        uint64_t address = strtoull(value, &end, 16);
        if (*value == '\0' || *end != '\0' || point_count == MOST_POINTS) {
            fprintf(stderr, "instructions: '%s' is no address, or one too many\n", value);
            return 1;
        }
        /* QEMU frees its arguments. The lowest bit of an address of Thumb code is no part of it. */
        points[point_count++] = (struct point){strdup(argv[i]), address & ~UINT64_C(1)};
    }
    if (out == NULL) {
        fprintf(stderr, "instructions: give it out=FILE\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return 0;
}
