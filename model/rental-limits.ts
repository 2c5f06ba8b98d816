/** What a rental does at most, for those who check what it is billed for. */

/** VMs under one agreement, one after the other or side by side: one that dies is made anew, but not for ever. */
export const MOST_VMS = 5;
