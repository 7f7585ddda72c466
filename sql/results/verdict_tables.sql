-- gated_sites: for each rule with a gate and each site, in how many cases the stream is expected and seen. A site is
-- gated where too few are: what its record lacks may only not be linked. Counted in sql/results/gates.sql.
create or replace table gated_sites (
    rule_id varchar,
    site_id varchar,
    stream varchar,
    expected bigint,
    seen bigint,
    share double,
    gated boolean
);

-- placed_exclusions: whom a rule does not concern, and why. Most cases of most rules: a table of its own, without what
-- only a judgement has, keeps an audit quick and small.
create or replace table placed_exclusions (
    rule_id varchar,
    subject_part varchar,
    patient_key integer,
    tumour_id varchar,
    site_id varchar,
    decision_date date,
    reason varchar
);

-- placed_judgements: whom it concerns. One row a rule, a subject and a placement of its imprecise dates, as above.
create or replace table placed_judgements (
    rule_id varchar,
    subject_id varchar,
    patient_key integer,
    patient_id varchar,
    tumour_id varchar,
    site_id varchar,
    decision_date date,
    due_date date,
    verdict varchar,
    reason varchar,
    missing varchar[],
    margin_days integer,
    evidence varchar
);
