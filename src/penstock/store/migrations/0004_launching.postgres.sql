-- The runs that triggers began are named after their namespace.
UPDATE runs SET namespace = split_part(flow, '/', 1) WHERE strpos(flow, '/') > 0;

-- What 0001 says of this function holds; it knows the new columns.
DROP FUNCTION commit_batch;

CREATE FUNCTION commit_batch(
    lease BIGINT,
    run_fid TEXT[], run_flow TEXT[], run_source TEXT[], run_revision TEXT[], run_state TEXT[],
    run_wake_at DOUBLE PRECISION[], run_owner TEXT[], run_started DOUBLE PRECISION[],
    run_ended DOUBLE PRECISION[], run_error TEXT[], run_namespace TEXT[], run_launcher TEXT[],
    run_executor TEXT[], run_key TEXT[], run_locks BIGINT[],
    chunk_fid TEXT[], chunk_first BIGINT[], chunk_last BIGINT[], chunk_body BYTEA[], chunk_blobs TEXT[],
    change_fid TEXT[], change_fields INTEGER[], change_state TEXT[], change_wake_at DOUBLE PRECISION[],
    change_owner TEXT[], change_ended DOUBLE PRECISION[], change_error TEXT[],
    change_locks BIGINT[]
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
        INSERT INTO runs (
            fid, flow, source, revision, state, wake_at, owner, started, ended, error,
            namespace, launcher, executor, key, locks
        )
        SELECT * FROM unnest(
            run_fid, run_flow, run_source, run_revision, run_state,
            run_wake_at, run_owner, run_started, run_ended, run_error,
            run_namespace, run_launcher, run_executor, run_key, run_locks
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
            error   = CASE WHEN fields & 16 > 0 THEN change.error ELSE runs.error END,
            locks   = CASE WHEN fields & 32 > 0 THEN change.locks ELSE runs.locks END
        FROM unnest(
            change_fid, change_fields, change_state, change_wake_at, change_owner, change_ended,
            change_error, change_locks
        ) AS change (fid, fields, state, wake_at, owner, ended, error, locks)
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
