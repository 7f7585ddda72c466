-- fct_specimens: one row a sample, all its assays read together, by the HER2 definition in force on each test date.
-- result: positive, equivocal, negative, or null where no HER2 assay was made. In-situ samples are left out.
-- dated_by_report: only the day of a report is on record; the sample was taken on it or before.
create or replace table fct_specimens as
with dated as (
    select
        *,
        max(ihc) over (partition by patient_key, tumour_id, specimen_date, specimen_site) as specimen_ihc
    from stg_receptor_tests
    where invasive and specimen_date is not null
),

classed as (
    select
        *,
        case
            when test_date < $her2_2013_from
                then
                    case
                        when ratio > $ratio_2007 then 'positive'
                        when ratio >= $ratio_2007_equivocal then 'equivocal'
                        when ratio is not null then 'negative'
                        when copies > $copies_positive then 'positive'
                        when copies >= $copies_equivocal then 'equivocal'
                        when copies is not null then 'negative'
                    end
            when test_date < $her2_2018_from
                then
                    case
                        when ratio >= $ratio_positive or copies >= $copies_positive then 'positive'
                        when copies >= $copies_equivocal then 'equivocal'
                        when ratio is not null or copies is not null then 'negative'
                    end
            when ratio is not null and copies is not null
                then
                    case
                        when ratio >= $ratio_positive and copies >= $copies_equivocal then 'positive'
                        when ratio < $ratio_positive and copies < $copies_equivocal then 'negative'
                        when specimen_ihc = 3 then 'positive'
                        when specimen_ihc = 2 and ratio < $ratio_positive and copies >= $copies_positive then 'positive'
                        when specimen_ihc is not null then 'negative'
                        else 'equivocal'
                    end
            when ish is not null then null
            when copies >= $copies_positive then 'positive'
            when copies < $copies_equivocal then 'negative'
            when copies is not null or ratio is not null then 'equivocal'
        end as ish_by_numbers
    from dated
),

read as (
    select
        *,
        case
            -- A report whose statement and numbers contradict each other tells neither.
            when ish = 'amplified' and ish_by_numbers = 'negative' then 'equivocal'
            when ish = 'not_amplified' and ish_by_numbers = 'positive' then 'equivocal'
            when ish_by_numbers is not null then ish_by_numbers
            when ish = 'amplified' then 'positive'
            when ish = 'not_amplified' then 'negative'
            else ish
        end as ish_result
    from classed
),

gathered as (
    select
        patient_key,
        tumour_id,
        specimen_date,
        specimen_site,
        bool_and(dated_by_report) as dated_by_report,
        max(ihc) as ihc,
        max(test_date) as last_test_date,
        min(test_date) filter (where ihc = 3 or ish_result = 'positive') as positive_date,
        max(test_date) filter (where ish_result is not null) as ish_date,
        coalesce(bool_or(ish_result = 'positive'), false) as ish_positive,
        coalesce(bool_or(ish_result = 'equivocal'), false) as ish_equivocal,
        coalesce(bool_or(ish_result = 'negative'), false) as ish_negative
    from read
    group by
        patient_key,
        tumour_id,
        specimen_date,
        specimen_site
)

select
    g.patient_key,
    g.tumour_id,
    g.specimen_date,
    g.specimen_site,
    g.dated_by_report,
    case g.ihc when 0 then '0' when 1 then '1+' when 2 then '2+' when 3 then '3+' end as ihc,
    g.ish_positive,
    g.ish_negative,
    g.ish_date,
    case
        when g.ihc = 3 or g.ish_positive then 'positive'
        when g.ish_equivocal then 'equivocal'
        when g.ish_negative then 'negative'
        when g.ihc = 2 then 'equivocal'
        when g.ihc is not null then 'negative'
    end as result,
    case
        when g.ihc = 3 or g.ish_positive then g.positive_date
        else g.last_test_date
    end as result_date
from gathered as g;
