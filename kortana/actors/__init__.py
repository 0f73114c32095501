"""Who runs it: the supervision tree, as pykka actors."""
