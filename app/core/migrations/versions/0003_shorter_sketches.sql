-- An entry was a bucket number (int16, -32768 for zero) and a count (uint32), little-endian; what it is now, and how
-- large a count may be, says app.core.rollups.latency_histogram. int4send writes big-endian, hence the bytes one by one.
-- JIT would compile the function's query anew for every row, which takes half a second each.
SET LOCAL jit = off;
CREATE FUNCTION pg_temp.shortened(sketch bytea) RETURNS bytea LANGUAGE sql AS $$
    SELECT coalesce(string_agg(
               substr(entry, 4, 1) || substr(entry, 3, 1) || substr(entry, 2, 1) || substr(entry, 1, 1), ''::bytea
               ORDER BY number, part
           ), ''::bytea)
    FROM generate_series(0, octet_length(sketch) - 6, 6) AS number,
         LATERAL (SELECT get_byte(sketch, number) + (get_byte(sketch, number + 1) << 8),
                         get_byte(sketch, number + 2) + (get_byte(sketch, number + 3) << 8)
                         + (get_byte(sketch, number + 4) << 16) + (get_byte(sketch, number + 5)::bigint << 24)
                 ) AS old (bucket, count),
         LATERAL (SELECT CASE WHEN bucket = 32768 THEN 0 WHEN bucket < 32768 THEN bucket + 2048 ELSE bucket - 63488 END
                 ) AS new (place),
         generate_series(0, (count - 1) / 524287) AS part,
         LATERAL (SELECT substr(int8send(
                      (place::bigint << 20) + least(524287, count - part * 524287)
                  ), 5) AS entry) AS encoded
$$;
LOCK TABLE rollups IN EXCLUSIVE MODE;
UPDATE rollups SET latency_sketch = pg_temp.shortened(latency_sketch) WHERE latency_sketch <> '';
ALTER TABLE rollups RENAME COLUMN latency_sketch TO latency_histogram;
