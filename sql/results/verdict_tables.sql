-- verdict_inputs: what a rule's SQL says of one subject and placement; it may leave columns out, which then are null.
-- observed_from: care before this day may not be on record for a patient transferred in. drugs_from (observed_from
-- where it is null) to drugs_through: an unrecognised drug in these days could be the one that is lacking.
create or replace temp table verdict_inputs (
    subject_part varchar,
    patient_key integer,
    tumour_id varchar,
    site_id varchar,
    episode_key integer,
    edition varchar,
    decision_date date,
    due_date date,
    open_until date,
    clock_start date,
    observed_from date,
    drugs_from date,
    drugs_through date,
    excluded varchar,
    missing_reason varchar,
    missing varchar[],
    met varchar,
    excepted varchar,
    unavailable varchar,
    lacking varchar[],
    failed varchar,
    margin_days bigint,
    evidence varchar
);

-- judgements: one row a rule and subject; until imprecise dates are settled, one for each placement of them.
create or replace table judgements (
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
