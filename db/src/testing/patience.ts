/** How long tests wait: the seconds that they name are those of a machine that has time; a busy one has this many times as long. */
export const patience = 4
