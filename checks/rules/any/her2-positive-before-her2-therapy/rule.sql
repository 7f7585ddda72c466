-- HER2-targeted treatment rests on a HER2-positive result.
-- denominator: the first HER2-targeted dose of an episode in early and in metastatic disease.
with courses as (
    select
        s.episode_key,
        s.setting,
        min(s.first_dose_date) as first_dose_date,
        min(s.first_known_date) as first_known_date,
        min(s.first_dose_date) filter (where s.ingredient <> 'trastuzumab-deruxtecan') as first_other_date,
        min(s.first_trial_date) as first_trial_date,
        list_sort(list(s.ingredient)) as drugs
    from fct_drug_spans as s
    where s.is_her2
    group by
        s.episode_key,
        s.setting
),

first_drugs as (
    select
        c.episode_key,
        c.setting,
        string_agg(s.ingredient, ' + ' order by s.ingredient) as first_drug
    from courses as c
    inner join fct_drug_spans as s
        on
            c.episode_key = s.episode_key
            and c.setting = s.setting
            and c.first_dose_date = s.first_dose_date
    where s.is_her2
    group by
        c.episode_key,
        c.setting
),

samples as (
    select
        c.episode_key,
        c.setting,
        c.first_dose_date,
        e.tumour_id,
        s.specimen_date,
        s.specimen_site,
        s.ihc,
        s.ish_date,
        s.result,
        s.result_date,
        s.result_date <= c.first_dose_date + $report_lag_days as in_time,
        -- A regimen's name that holds the drug after an anthracycline does not tell when it began.
        s.result_date <= coalesce(c.first_known_date, date '9999-12-31' - $report_lag_days) + $report_lag_days
            as perhaps_in_time,
        s.specimen_date <= c.first_dose_date + $report_lag_days as taken_in_time
    from courses as c
    inner join fct_episodes as e on c.episode_key = e.episode_key
    inner join fct_specimens as s on e.patient_key = s.patient_key and e.tumour_id = s.tumour_id
    where s.result is not null
),

newest_metastasis as (
    select
        episode_key,
        setting,
        max(specimen_date) as specimen_date
    from samples
    where setting = 'metastatic' and specimen_site = 'metastasis' and in_time and result <> 'equivocal'
    group by
        episode_key,
        setting
),

weighed as (
    select
        s.episode_key,
        s.setting,
        bool_or(s.result = 'positive' and s.in_time) as positive_in_time,
        bool_or(s.result = 'positive' and not s.in_time) as positive_later,
        bool_or(s.result = 'positive' and not s.in_time and s.perhaps_in_time) as positive_perhaps_in_time,
        bool_or(s.result = 'equivocal' and s.taken_in_time) as equivocal,
        -- What was known then: a sample taken later neither shows low expression nor rules it out.
        bool_or(s.ihc in ('1+', '2+')) filter (where s.result <> 'positive' and s.taken_in_time) as low_expression,
        bool_or(
            coalesce(s.ihc, '2+') = '2+' and s.taken_in_time and s.ish_date > s.first_dose_date
            and s.result <> 'positive'
        ) as ish_came_later,
        max(s.result) filter (where s.specimen_date = n.specimen_date and s.specimen_site = 'metastasis')
            as newest_metastasis,
        min(s.result_date) filter (where s.result = 'positive') as first_positive_date
    from samples as s
    left join newest_metastasis as n on s.episode_key = n.episode_key and s.setting = n.setting
    group by
        s.episode_key,
        s.setting
),

-- Every assay is shown, also what never counts: of in-situ disease, and what was read later.
shown as (
    select
        e.episode_key,
        list_sort(list(
            coalesce(cast(s.specimen_date as varchar), 'undated') || ' ' || s.specimen_site
            || coalesce(' ' || s.laterality, '') || case when s.invasive then '' else ' in situ' end
            || coalesce(', IHC ' || cast(s.ihc as varchar), '')
            || coalesce(', ISH ' || s.ish, '')
            || coalesce(', ratio ' || cast(s.ratio as varchar), '')
            || coalesce(', copies ' || cast(s.copies as varchar), '')
            || coalesce(', read ' || cast(s.test_date as varchar) || ' by the definition of ' || s.definition, '')
            || coalesce(', sample ' || s.result, '')
        )) as assays
    from fct_episodes as e
    inner join fct_her2_assays as s on e.patient_key = s.patient_key and e.tumour_id = s.tumour_id
    group by e.episode_key
),

assayed_tumours as (
    select
        episode_key,
        setting,
        tumour_id,
        bool_or(result = 'negative' and taken_in_time) as negative
    from samples
    group by
        episode_key,
        setting,
        tumour_id
),

tumours_read as (
    select
        c.episode_key,
        c.setting,
        bool_or(a.tumour_id is null and t.her2_summary = 'positive') and $summary = 'accepted' as summary_positive,
        bool_and(coalesce(a.negative, t.her2_summary = 'negative' and $summary = 'accepted', false)) as all_negative
    from courses as c
    inner join fct_tumours as t on c.episode_key = t.episode_key
    left join assayed_tumours as a
        on c.episode_key = a.episode_key and c.setting = a.setting and t.tumour_id = a.tumour_id
    -- What is known of carcinoma in situ alone counts neither way.
    where t.invasive
    group by
        c.episode_key,
        c.setting
),

-- By its day alone the first dose would be for another tumour, which is HER2-positive: the row may name the wrong one.
positive_elsewhere as (
    select distinct
        c.episode_key,
        c.setting
    from courses as c
    inner join fct_tumours as t on c.episode_key = t.episode_key
    inner join fct_episodes as o on t.patient_key = o.patient_key
    inner join fct_episode_spans as s on o.episode_key = s.episode_key
    where
        s.ever_positive
        and o.episode_key <> c.episode_key
        and o.diagnosis_date <= c.first_dose_date
        and c.first_dose_date between s.from_date and s.through_date
),

population as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.invasive,
        t.m_status,
        t.metastatic_date,
        c.setting,
        c.first_dose_date,
        c.first_trial_date,
        list_concat(['drug'], c.drugs) as drugs,
        f.first_drug,
        p.transfer_in_date,
        p.observable_through,
        coalesce(u.summary_positive and w.newest_metastasis is null, false) as summary_positive,
        w.episode_key is not null as assayed,
        coalesce(w.newest_metastasis = 'positive', w.positive_in_time, false) as positive_in_time,
        coalesce(w.positive_later, false) as positive_later,
        coalesce(w.positive_perhaps_in_time, false) as positive_perhaps_in_time,
        coalesce(w.equivocal, false) and w.newest_metastasis is null as equivocal,
        u.all_negative or coalesce(w.newest_metastasis = 'negative', false) as all_negative,
        w.low_expression,
        w.ish_came_later and b.her2_days <= $max_bridging_doses as bridging,
        w.first_positive_date,
        s.assays,
        e.episode_key is not null as positive_elsewhere,
        c.setting = 'metastatic' and coalesce(c.first_other_date > c.first_dose_date, true) as deruxtecan_first
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join courses as c on t.episode_key = c.episode_key
    left join tumours_read as u on c.episode_key = u.episode_key and c.setting = u.setting
    left join first_drugs as f on c.episode_key = f.episode_key and c.setting = f.setting
    left join weighed as w on c.episode_key = w.episode_key and c.setting = w.setting
    left join shown as s on t.episode_key = s.episode_key
    left join positive_elsewhere as e on c.episode_key = e.episode_key and c.setting = e.setting
    left join fct_awaited_days as b on c.episode_key = b.episode_key and c.setting = b.setting
    where t.is_index
),

judged as (
    select
        *,
        positive_in_time or summary_positive as is_met,
        all_negative and not positive_in_time and not equivocal as shown_negative
    from population
)

select
    case setting when 'metastatic' then 'her2-metastatic' else 'her2-early' end as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_dose_date as decision_date,
    first_dose_date + $report_lag_days as due_date,
    first_dose_date as observed_from,
    case
        when first_dose_date is null then 'no-her2-therapy'
        when not invasive then 'in-situ'
        when not assayed and not summary_positive and first_dose_date <= transfer_in_date then 'treated-elsewhere'
        when
            shown_negative and deruxtecan_first and low_expression
            and first_dose_date >= $her2_low_from then 'her2-low'
    end as excluded,
    case
        when is_met then null
        when equivocal then 'her2-equivocal'
        when positive_perhaps_in_time then 'days-not-recorded'
        when (shown_negative or positive_later) and m_status = 'unknown' then 'm-unknown'
        when
            shown_negative and deruxtecan_first and low_expression is null
            and first_dose_date >= $her2_low_from then 'her2-low-not-recorded'
        when shown_negative and deruxtecan_first and first_dose_date >= $her2_ultralow_from
            then 'her2-ultralow-not-recorded'
        when
            (shown_negative or positive_later or $undocumented = 'non-conformant')
            and positive_elsewhere
            and first_trial_date is null
            and not coalesce(bridging, false) then 'may-be-for-another-tumour'
        when shown_negative or positive_later or $undocumented = 'non-conformant' then null
        when first_dose_date + $report_lag_days <= observable_through then 'her2-unknown'
    end as missing_reason,
    case missing_reason
        when 'm-unknown' then ['tumours.clinical_m']
        when 'may-be-for-another-tumour' then ['treatments.tumour_id']
        when 'days-not-recorded' then ['treatments.start_date']
        else ['receptor_tests.her2_ihc', 'receptor_tests.her2_ish']
    end as missing,
    case
        when positive_in_time then 'assay'
        when is_met then 'summary'
    end as met,
    case
        when first_trial_date is not null then 'trial'
        when bridging then 'bridging-dose'
    end as excepted,
    drugs as lacking,
    case
        when positive_later then 'result-after-first-dose'
        when not shown_negative then 'undocumented'
        when assayed then 'her2-negative'
        else 'summary-only'
    end as failed,
    date_diff('day', first_positive_date, first_dose_date + $report_lag_days) as margin_days,
    case
        when first_dose_date is not null
            then to_json(struct_pack(
                first_her2_dose_date := first_dose_date,
                first_her2_drug := first_drug,
                setting := setting,
                her2_assays := assays
            ))
    end as evidence
from judged
