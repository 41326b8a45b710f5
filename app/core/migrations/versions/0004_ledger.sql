-- The first two are only appended to by web and worker, and folded into the third every some seconds: no index, so that
-- a row costs the write-ahead log little more than itself.
CREATE TABLE acknowledgements (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    series      text COLLATE "C" NOT NULL,
    project_id  integer NOT NULL,
    hour        timestamptz NOT NULL,
    numbers     int8multirange NOT NULL,
    replayed    bigint NOT NULL,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL
);

CREATE TABLE sightings (
    series   text COLLATE "C" NOT NULL,
    outcome  text COLLATE "C" NOT NULL,
    numbers  int8multirange NOT NULL
);

CREATE TABLE series (
    series        text COLLATE "C" PRIMARY KEY,
    project_id    integer,
    hour          timestamptz,
    acknowledged  int8multirange NOT NULL DEFAULT '{}',
    replayed      bigint NOT NULL DEFAULT 0,
    stored        int8multirange NOT NULL DEFAULT '{}',
    repeated      int8multirange NOT NULL DEFAULT '{}',
    set_aside     int8multirange NOT NULL DEFAULT '{}',
    changed_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE losses (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series      text COLLATE "C" NOT NULL,
    project_id  integer NOT NULL,
    hour        timestamptz NOT NULL,
    numbers     int8multirange NOT NULL,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now(),
    noted_at    timestamptz
);
CREATE INDEX losses_series ON losses (series);
