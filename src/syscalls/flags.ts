/** Move only pages that no other address space maps. */
export const MPOL_MF_MOVE = 1 << 1;
/** Move pages that several address spaces map, too; needs CAP_SYS_NICE. */
export const MPOL_MF_MOVE_ALL = 1 << 2;
