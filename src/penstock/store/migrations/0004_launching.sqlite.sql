-- The runs that triggers began are named after their namespace.
UPDATE runs SET namespace = substr(flow, 1, instr(flow, '/') - 1) WHERE instr(flow, '/') > 0;
