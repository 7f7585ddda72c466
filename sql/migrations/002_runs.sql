-- runs: every audit that was published in the folder, oldest first. `settings` and `manifest` are JSON; `same_as` names
-- the run before it that had the same inputs, rules, code and cut-off.
create table runs (
    run_number integer,
    run_id varchar,
    created_at varchar,
    settings varchar,
    conjugates_told_apart boolean,
    manifest varchar,
    same_as varchar
);

-- source_texts: every text that a run was judged by (checks/ and sql/), once for each wording.
create table source_texts (
    sha256 varchar,
    content varchar
);

create table run_sources (
    run_number integer,
    path varchar,
    sha256 varchar
);

create table run_rates (
    run_number integer,
    rule_id varchar,
    level varchar,
    group_id varchar,
    group_name varchar,
    not_evaluable bigint,
    conformant bigint,
    excepted bigint,
    adjudicated bigint,
    pending bigint,
    non_conformant bigint
);

-- past_findings: findings as they were from one run until another, both included, and are no longer.
create table past_findings (
    rule_id varchar,
    subject_id varchar,
    patient_id varchar,
    tumour_id varchar,
    site_id varchar,
    decision_date date,
    due_date date,
    verdict varchar,
    reason varchar,
    missing varchar[],
    margin_days integer,
    evidence varchar,
    from_run integer,
    until_run integer
);

-- finding_since: from which run on a finding is as it is now; from the first one on where it has no row.
create table finding_since (
    rule_id varchar,
    subject_id varchar,
    from_run integer
);
