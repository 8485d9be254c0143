-- One row holds the events of one run in one commit, with the seqs `first` to `last`. Two
-- writers that follow the same seq collide in its key. `blobs`: the digests of payloads
-- that left the body.
CREATE TABLE events (
    fid   TEXT COLLATE "C" NOT NULL,
    first BIGINT NOT NULL,
    last  BIGINT NOT NULL,
    body  BYTEA NOT NULL,
    blobs TEXT[],
    PRIMARY KEY (fid, first)
);

CREATE TABLE blobs (
    digest  TEXT COLLATE "C" PRIMARY KEY,
    content BYTEA NOT NULL
);
ALTER TABLE blobs ALTER content SET STORAGE EXTERNAL;  -- compressing them costs more than it saves

-- The leases of live runtimes. A token is never given twice: it is what a commit is fenced by.
CREATE TABLE owners (
    token      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    expires_at TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);

-- One commit in one round trip, so that a client which is paused half way holds no lock.
--
-- The lease's row is locked until the commit ends, and a claim deletes the row before it takes
-- a run: a commit comes wholly before a claim, or is refused. `change_fields` has one bit for
-- each field that is set, from 1 for the state on.
--
-- PN001: the lease is lost. PN002, PN003: the run in DETAIL is another's, is not there.
CREATE FUNCTION commit_batch(
    lease BIGINT,
    run_fid TEXT[], run_flow TEXT[], run_source TEXT[], run_revision TEXT[], run_state TEXT[],
    run_wake_at DOUBLE PRECISION[], run_owner TEXT[], run_started DOUBLE PRECISION[],
    run_ended DOUBLE PRECISION[], run_error TEXT[],
    chunk_fid TEXT[], chunk_first BIGINT[], chunk_last BIGINT[], chunk_body BYTEA[], chunk_blobs TEXT[],
    change_fid TEXT[], change_fields INTEGER[], change_state TEXT[], change_wake_at DOUBLE PRECISION[],
    change_owner TEXT[], change_ended DOUBLE PRECISION[], change_error TEXT[]
) RETURNS VOID LANGUAGE plpgsql
-- Few rows are looked up by key, whatever the statistics of a young table say.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    changed BIGINT;
    at_fault TEXT;
BEGIN
    IF lease IS NOT NULL THEN
        PERFORM FROM owners WHERE token = lease FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the lease is lost' USING ERRCODE = 'PN001';
        END IF;
    END IF;
    IF cardinality(run_fid) > 0 THEN
        INSERT INTO runs (fid, flow, source, revision, state, wake_at, owner, started, ended, error)
        SELECT * FROM unnest(
            run_fid, run_flow, run_source, run_revision, run_state,
            run_wake_at, run_owner, run_started, run_ended, run_error
        );
    END IF;
    INSERT INTO events (fid, first, last, body, blobs)
    SELECT fid, first, last, body, string_to_array(blobs, ' ')
    FROM unnest(chunk_fid, chunk_first, chunk_last, chunk_body, chunk_blobs)
        AS chunk (fid, first, last, body, blobs);
    IF cardinality(change_fid) > 0 THEN
        UPDATE runs SET
            state   = CASE WHEN fields & 1 > 0 THEN change.state ELSE runs.state END,
            wake_at = CASE WHEN fields & 2 > 0 THEN change.wake_at ELSE runs.wake_at END,
            owner   = CASE WHEN fields & 4 > 0 THEN change.owner ELSE runs.owner END,
            ended   = CASE WHEN fields & 8 > 0 THEN change.ended ELSE runs.ended END,
            error   = CASE WHEN fields & 16 > 0 THEN change.error ELSE runs.error END
        FROM unnest(
            change_fid, change_fields, change_state, change_wake_at, change_owner, change_ended, change_error
        ) AS change (fid, fields, state, wake_at, owner, ended, error)
        WHERE runs.fid = change.fid AND NOT EXISTS (
            SELECT FROM owners WHERE name = runs.owner AND token IS DISTINCT FROM lease
        );
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> cardinality(change_fid) THEN
            SELECT fid INTO at_fault FROM unnest(change_fid) AS change (fid)
            WHERE NOT EXISTS (SELECT FROM runs WHERE runs.fid = change.fid) LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'a change of a run that is not there'
                USING ERRCODE = 'PN003', DETAIL = at_fault;
            END IF;
            SELECT fid INTO at_fault FROM runs JOIN owners ON name = owner
            WHERE fid = ANY (change_fid) AND token IS DISTINCT FROM lease LIMIT 1;
            RAISE EXCEPTION 'a change of another runtime''s run'
            USING ERRCODE = 'PN002', DETAIL = coalesce(at_fault, '');
        END IF;
    END IF;
END
$$;

-- Takes over the unfinished runs that no lease covers, all of them or those of `wanted`.
--
-- Who is dead is decided here, by the clock of the database, and once for all: a lease that
-- has run out is deleted before any run of it is taken. Claims come one after the other.
CREATE FUNCTION claim_runs(lease BIGINT, wanted TEXT[], channel TEXT) RETURNS SETOF TEXT
LANGUAGE plpgsql AS $$
DECLARE
    own TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema()), 2);
    SELECT name INTO own FROM owners WHERE token = lease FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease is lost' USING ERRCODE = 'PN001';
    END IF;
    DELETE FROM owners WHERE expires_at < clock_timestamp() AND token <> lease;
    IF FOUND AND wanted IS NOT NULL THEN
        PERFORM pg_notify(channel, '');  -- the runs that are not wanted here are for others
    END IF;
    RETURN QUERY UPDATE runs SET owner = own
        WHERE state IN ('pending', 'running', 'waiting') AND (wanted IS NULL OR fid = ANY (wanted))
        AND NOT EXISTS (SELECT FROM owners WHERE name = runs.owner)
        RETURNING fid;
    DELETE FROM signals USING runs
        WHERE run = runs.id AND state NOT IN ('pending', 'running', 'waiting');
END
$$;
